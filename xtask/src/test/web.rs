//! Tests of the peers in JavaScript, in Node and in a browser, against a relay in Rust.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use super::{Outcome, Tally, steps::all};
use crate::cargo::{self, tool};

/// Where the tests are.
const TESTS: &str = "crates/shiome-bus/web/tests";

/// The program that they talk to.
const TESTBED: &str = "web-testbed";

/// The tests that need a browser.
const BROWSER: &str = "browser.test.js";

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
    let run = |node: &Path| {
        let tests = tests(root, |name| name != BROWSER)?;
        tally.run(runner(root, node)?.args(tests))
    };
    with_node(root, run)
}

/// Runs the tests that need a browser.
pub(super) fn browser(root: &Path, tally: &mut Tally) -> Outcome {
    let Some(browser) = BROWSERS.iter().find_map(|name| on_path(name)) else {
        return skipped("no browser: install chromium");
    };
    let run = |node: &Path| {
        let tests = tests(root, |name| name == BROWSER)?;
        tally.run(
            runner(root, node)?
                .args(tests)
                .env("SHIOME_CHROMIUM", &browser),
        )
    };
    with_node(root, run)
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

/// `node --test`, with the program that the tests talk to.
fn runner(root: &Path, node: &Path) -> Result<Command, String> {
    cargo::succeed(all(root, &["build"])?.args(["--example", TESTBED]))?;
    let testbed = cargo::target_dir(root)
        .join("debug/examples")
        .join(format!("{TESTBED}{}", env::consts::EXE_SUFFIX));
    let mut runner = tool(root, node);
    runner
        .args(["--test", "--test-reporter=tap"])
        .env("SHIOME_WEB_TESTBED", testbed);
    if cargo::works(tool(root, node).args([TEST_TIMEOUT, "--version"])) {
        runner.arg(TEST_TIMEOUT);
    }
    Ok(runner)
}

/// The files of tests whose names are wanted.
fn tests(root: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, String> {
    let dir = root.join(TESTS);
    let entries = std::fs::read_dir(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut tests: Vec<_> = paths
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.ends_with(".test.js") && wanted(&name)
        })
        .collect();
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
