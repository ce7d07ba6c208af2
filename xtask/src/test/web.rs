//! Tests of the peers in JavaScript, in Node and in a browser, against a relay in Rust, and of the dashboard of a node.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use lexopt::Parser;

use super::{Outcome, Tally, steps::all};
use crate::{
    Stop,
    cargo::{self, tool},
};

/// Where the tests are.
const TESTS: [&str; 2] = ["crates/shiome-bus/web/tests", "crates/shiome-cli/tests/web"];

/// The programs that they talk to: variable of the environment, example.
const PROGRAMS: [(&str, &str); 3] = [
    ("SHIOME_RTC_TESTBED", "rtc-testbed"),
    ("SHIOME_WEB_TESTBED", "web-testbed"),
    ("SHIOME_WEB_CHAT", "web-chat"),
];

/// And the binary.
const BINARY: (&str, &str) = ("SHIOME_BIN", "shiome");

/// What the names of tests begin with that need a browser.
const BROWSER: &str = "browser";

/// Those of them that take pictures if they are told where to put them, the variable for that, and the place.
const PICTURES: [(&str, &str, &str); 2] = [
    (
        "browser-chat.test.js",
        "SHIOME_SCREENSHOT",
        "docs/web-chat.png",
    ),
    (
        "browser-dashboard.test.js",
        "SHIOME_DASHBOARD_PICTURES",
        "docs",
    ),
];

/// The first Node with the parts that the tests need.
const LEAST_NODE: u32 = 18;

/// Names of the browser, as packages install it.
const BROWSERS: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// What a single test may take, in milliseconds: some of them wait for processes to start.
const TEST_TIMEOUT: &str = "--test-timeout=120000";

/// Runs the tests that need no browser.
pub(super) fn node(root: &Path, tally: &mut Tally) -> Outcome {
    with_node(root, |node| {
        let tests = tests(root, |name| !name.starts_with(BROWSER))?;
        tally.run(runner(root, node)?.args(tests))
    })
}

/// Runs the tests that need a browser.
pub(super) fn browser(root: &Path, tally: &mut Tally) -> Outcome {
    with_browser(root, |node, browser| {
        let tests = tests(root, |name| name.starts_with(BROWSER))?;
        let mut runner = runner(root, node)?;
        tally.run(runner.args(tests).env("SHIOME_CHROMIUM", browser))
    })
}

/// `cargo xtask screenshots`: takes the pictures of the documentation anew.
pub(crate) fn screenshots(root: &Path, mut args: Parser) -> Result<(), Stop> {
    if let Some(arg) = args.next()? {
        return Err(arg.unexpected().into());
    }
    let taken = with_browser(root, |node, browser| {
        let mut runner = runner(root, node)?;
        let takes_one = |name: &str| PICTURES.iter().any(|(test, ..)| *test == name);
        runner
            .args(tests(root, takes_one)?)
            .env("SHIOME_CHROMIUM", browser)
            .envs(PICTURES.map(|(_, variable, place)| (variable, root.join(place))));
        cargo::succeed(&mut runner)
    });
    match taken {
        Outcome::Passed => Ok(()),
        other => Err(Stop::Failed(other.told().1.to_owned())),
    }
}

fn with_browser(root: &Path, run: impl FnOnce(&Path, &Path) -> Result<(), String>) -> Outcome {
    match BROWSERS.iter().find_map(|name| on_path(name)) {
        Some(browser) => with_node(root, |node| run(node, &browser)),
        None => skipped("no browser: install chromium"),
    }
}

fn with_node(root: &Path, run: impl FnOnce(&Path) -> Result<(), String>) -> Outcome {
    match on_path("node") {
        Some(node) if is_new(root, &node) => run(&node).into(),
        _ => skipped(&format!("no node of version {LEAST_NODE} or later")),
    }
}

fn skipped(reason: &str) -> Outcome {
    println!("\n!!! NOTHING IS CHECKED: {reason}\n");
    Outcome::Skipped(reason.to_owned())
}

fn is_new(root: &Path, node: &Path) -> bool {
    let version = cargo::output(tool(root, node).arg("--version"));
    let major = version.ok().and_then(|version| {
        let numbers = version.trim().strip_prefix('v')?;
        numbers.split('.').next()?.parse::<u32>().ok()
    });
    major.is_some_and(|major| major >= LEAST_NODE)
}

/// `node --test`, with the programs that the tests talk to.
fn runner(root: &Path, node: &Path) -> Result<Command, String> {
    let mut runner = tool(root, node);
    runner.args(["--test", "--test-reporter=tap"]);
    let mut build = all(root, &["build"])?;
    for (variable, example) in PROGRAMS {
        build.args(["--example", example]);
        let program = format!("debug/examples/{example}{}", env::consts::EXE_SUFFIX);
        runner.env(variable, cargo::target_dir(root).join(program));
    }
    let (variable, binary) = BINARY;
    build.args(["--bin", binary]);
    let program = format!("debug/{binary}{}", env::consts::EXE_SUFFIX);
    runner.env(variable, cargo::target_dir(root).join(program));
    cargo::succeed(&mut build)?;
    if cargo::works(tool(root, node).args([TEST_TIMEOUT, "--version"])) {
        runner.arg(TEST_TIMEOUT);
    }
    Ok(runner)
}

/// The files of tests whose names are wanted.
fn tests(root: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, String> {
    let mut tests = Vec::new();
    for dir in TESTS.map(|dir| root.join(dir)) {
        let entries = std::fs::read_dir(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        tests.extend(paths.filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.ends_with(".test.js") && wanted(&name)
        }));
    }
    tests.sort();
    Ok(tests)
}

/// A program of that name, if it is installed.
fn on_path(name: &str) -> Option<PathBuf> {
    let dirs = env::var_os("PATH")?;
    let files =
        env::split_paths(&dirs).map(|dir| dir.join(format!("{name}{}", env::consts::EXE_SUFFIX)));
    files.into_iter().find(|file| file.is_file())
}
