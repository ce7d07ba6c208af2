//! The steps of `cargo xtask test`, in order.
//!
//! All that build take the whole workspace with the same features, so that what one has built serves the next.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use super::{Outcome, Tally, web};
use crate::{
    cargo::{self, cargo},
    codegen, hostile, vectors,
};

/// One check.
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// Steps without which this one would only repeat their failure.
    pub(super) needs: &'static [&'static str],
    pub(super) run: fn(&Path, &mut Tally) -> Outcome,
}

pub(super) const STEPS: &[Step] = &[
    Step {
        name: "fmt",
        about: "rustfmt has nothing to change",
        needs: &[],
        run: |root, _| fmt(root).into(),
    },
    Step {
        name: "lock",
        about: "Cargo.lock fits the manifests",
        needs: &[],
        run: |root, _| metadata(root, &[]).map(drop).into(),
    },
    Step {
        name: "codegen",
        about: "the generated code is that of the schemas",
        needs: &[],
        run: |root, _| codegen::check(root).map(|said| println!("{said}")).into(),
    },
    Step {
        name: "clippy",
        about: "no warning",
        needs: &["lock"],
        run: |root, _| clippy(root).into(),
    },
    Step {
        name: "build",
        about: "all tests build",
        needs: &["lock"],
        run: |root, _| build(root).into(),
    },
    Step {
        name: "vectors",
        about: "bytes recorded at published nodes are ours",
        needs: &["build"],
        run: |root, _| vectors::check_tree(root).into(),
    },
    Step {
        name: "tests",
        about: "unit and integration tests",
        needs: &["build"],
        run: |root, tally| tests(root, tally).into(),
    },
    Step {
        name: "doctests",
        about: "examples in the documentation",
        needs: &["build"],
        run: |root, tally| doctests(root, tally).into(),
    },
    Step {
        name: "rustdoc",
        about: "no warning, private items too",
        needs: &["build"],
        run: |root, _| rustdoc(root).into(),
    },
    Step {
        name: "features",
        about: "the facade builds with no feature, each alone, and all",
        needs: &["build"],
        run: |root, _| features(root).into(),
    },
    Step {
        name: "wasm32",
        about: "crates without input and output build for the browser",
        needs: &["build"],
        run: |root, _| wasm32(root),
    },
    Step {
        name: "js",
        about: "peers in JavaScript and in Rust do everything together",
        needs: &["build"],
        run: web::node,
    },
    Step {
        name: "browser",
        about: "the same in a browser",
        needs: &["build"],
        run: web::browser,
    },
    Step {
        name: "gossip",
        about: "the published gossip codecs and engine and ours agree, and form one cluster",
        needs: &["build"],
        run: |root, tally| gossip(root, tally).into(),
    },
    Step {
        name: "hostile",
        about: "a node withstands attacks, each small",
        needs: &["build"],
        run: |root, _| hostile(root),
    },
    Step {
        name: "interop",
        about: "published nodes and ours do everything together",
        needs: &["build"],
        run: |root, tally| interop(root, tally).into(),
    },
];

/// Crates that build without an operating system, when the workspace has them.
const SANS_IO: [&str; 5] = [
    "shiome-wire",
    "shiome-gossip",
    "shiome-handshake",
    "shiome-session",
    "shiome-swim",
];

const WASM32: &str = "wasm32-unknown-unknown";

/// Trees below the workspace root that are not part of the workspace, because of their dependencies.
const OUTSIDE: [&str; 2] = ["tests/peers", "tests/fuzz"];

/// A feature that changes what other code has to look like: with it `ractor`'s traits want other implementations, and
/// the actors of our tests are not that. What is left out here, the step `features` checks.
const NOT_ADDITIVE: &str = "async-trait";

/// `cargo <command>` on the whole workspace with all features that go together.
pub(super) fn all(root: &Path, command: &[&str]) -> Result<Command, String> {
    let features = metadata(root, &["--no-deps"])?
        .iter()
        .flat_map(|package| {
            let name = package["name"].as_str().unwrap_or_default().to_owned();
            let features = features_of(package);
            features.map(move |feature| format!("{name}/{feature}"))
        })
        .filter(|feature| !feature.ends_with(&format!("/{NOT_ADDITIVE}")))
        .collect::<Vec<_>>();
    let mut cargo = cargo(root);
    cargo.args(command).args(["--workspace", "--locked"]);
    if !features.is_empty() {
        cargo.args(["--features", &features.join(",")]);
    }
    Ok(cargo)
}

/// What can be switched on in a package, without the default.
fn features_of(package: &Value) -> impl Iterator<Item = &str> {
    let features = package["features"].as_object();
    let names = features
        .into_iter()
        .flat_map(|features| features.keys())
        .map(String::as_str);
    names.filter(|feature| *feature != "default")
}

fn fmt(root: &Path) -> Result<(), String> {
    let workspace = cargo::succeed(cargo(root).args(["fmt", "--all", "--check"]));
    let outside = fmt_outside(root);
    workspace.and(outside)
}

/// Formats what is not in the workspace, and not through cargo, which would resolve its dependencies first.
fn fmt_outside(root: &Path) -> Result<(), String> {
    let mut files = Vec::new();
    for dir in OUTSIDE {
        let dir = root.join(dir);
        if dir.exists() {
            rust_files(&dir, &mut files).map_err(|e| format!("{}: {e}", dir.display()))?;
        }
    }
    if files.is_empty() {
        return Ok(());
    }
    let mut rustfmt = cargo::tool(root, "rustfmt");
    rustfmt.args(["--check", "--edition", "2024"]).args(files);
    cargo::succeed(&mut rustfmt)
}

fn rust_files(dir: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            if !path.ends_with("target") {
                rust_files(&path, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

fn clippy(root: &Path) -> Result<(), String> {
    let mut clippy = all(root, &["clippy"])?;
    cargo::succeed(clippy.args(["--all-targets", "--", "--deny", "warnings"]))
}

fn build(root: &Path) -> Result<(), String> {
    cargo::succeed(all(root, &["test"])?.arg("--no-run"))
}

fn tests(root: &Path, tally: &mut Tally) -> Result<(), String> {
    if cargo::works(cargo(root).args(["nextest", "--version"])) {
        let mut nextest = all(root, &["nextest", "run"])?;
        return tally.run(nextest.args(["--no-fail-fast", "--color", "never"]));
    }
    // Every target but the documentation, which is a step of its own, and the benchmarks.
    let targets = ["--lib", "--bins", "--tests", "--examples"];
    let mut test = all(root, &["test"])?;
    tally.run(test.args(targets).arg("--no-fail-fast"))
}

fn doctests(root: &Path, tally: &mut Tally) -> Result<(), String> {
    let mut test = all(root, &["test"])?;
    tally.run(test.args(["--doc", "--no-fail-fast"]))
}

fn rustdoc(root: &Path) -> Result<(), String> {
    let mut doc = all(root, &["doc"])?;
    doc.args(["--no-deps", "--document-private-items"])
        .env("RUSTDOCFLAGS", "--deny warnings");
    cargo::succeed(&mut doc)
}

/// Checks the facade with no feature, with each alone, and with all of them.
fn features(root: &Path) -> Result<(), String> {
    let packages = metadata(root, &["--no-deps"])?;
    let facade = packages
        .iter()
        .find(|package| package["name"] == "shiome")
        .ok_or("there is no facade")?;
    let check = |features: &[&str]| {
        let mut check = cargo(root);
        check
            .args(["check", "--package", "shiome", "--locked"])
            .args(features);
        cargo::succeed(&mut check)
    };
    check(&["--no-default-features"])?;
    for feature in features_of(facade) {
        check(&["--no-default-features", "--features", feature])?;
    }
    check(&["--all-features"])
}

fn wasm32(root: &Path) -> Outcome {
    if !has_wasm32(root) {
        let added = cargo::succeed(cargo::tool(root, "rustup").args(["target", "add", WASM32]));
        if let Err(problem) = added {
            let reason = format!("no {WASM32}: {problem}");
            println!(
                "\n!!! NOTHING IS CHECKED FOR {WASM32}: it is not installed and cannot be had\n"
            );
            return Outcome::Skipped(reason);
        }
    }
    check_wasm32(root).into()
}

fn has_wasm32(root: &Path) -> bool {
    let mut rustc = cargo::tool(root, "rustc");
    rustc.args(["--print", "target-libdir", "--target", WASM32]);
    cargo::output(&mut rustc).is_ok_and(|dir| Path::new(dir.trim()).exists())
}

fn check_wasm32(root: &Path) -> Result<(), String> {
    let packages = metadata(root, &["--no-deps"])?;
    let there = |name: &str| packages.iter().any(|package| package["name"] == name);
    let mut check = cargo(root);
    check.args(["check", "--locked", "--all-features", "--target", WASM32]);
    for name in SANS_IO.into_iter().filter(|name| there(name)) {
        check.args(["--package", name]);
    }
    cargo::succeed(&mut check)
}

/// Messages that each differential test compares. They take some seconds; a hunt for rare differences takes more of them.
const GOSSIP_ROUNDS: &str = "50000";

/// Runs the tests of `tests/peers/gossip`, which have a workspace and so a target directory of their own.
fn gossip(root: &Path, tally: &mut Tally) -> Result<(), String> {
    let mut test = cargo(root);
    test.args(["test", "--locked", "--no-fail-fast", "--manifest-path"])
        .arg("tests/peers/gossip/Cargo.toml")
        .arg("--target-dir")
        .arg(cargo::target_dir(root).join("peers-gossip"))
        .env("GOSSIP_ROUNDS", GOSSIP_ROUNDS);
    tally.run(&mut test)
}

/// Attacks a node that is built with all assertions. What it takes of memory and files is read from `/proc`.
fn hostile(root: &Path) -> Outcome {
    if !Path::new("/proc/self/status").exists() {
        return Outcome::Skipped("this system has no /proc".to_owned());
    }
    let attacked = all(root, &["build"]).and_then(|mut build| {
        cargo::succeed(build.args(["--bin", hostile::PACKAGE]))?;
        hostile::quick(root, &hostile::program_in(root, "debug"))
    });
    attacked.into()
}

/// Runs `cargo xtask interop`, as a process because of what it prints and counts.
fn interop(root: &Path, tally: &mut Tally) -> Result<(), String> {
    let xtask = env::current_exe().map_err(|e| e.to_string())?;
    tally.run(Command::new(xtask).arg("interop").current_dir(root))
}

/// The packages that cargo knows of.
fn metadata(root: &Path, options: &[&str]) -> Result<Vec<Value>, String> {
    let mut metadata = cargo(root);
    metadata
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(options);
    let metadata: Value = serde_json::from_str(&cargo::output(&mut metadata)?)
        .map_err(|e| format!("cargo metadata: {e}"))?;
    Ok(metadata["packages"].as_array().cloned().unwrap_or_default())
}
