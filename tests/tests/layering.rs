//! The layers of the workspace, as Cargo and the sources state them.
//!
//! Below the line stand the crates that do no input or output: time and randomness are arguments there, so that they
//! run in a browser and in a simulation.
#![allow(clippy::unwrap_used, reason = "support code of tests")]

#[path = "layering/sources.rs"]
mod sources;
#[path = "layering/workspace.rs"]
mod workspace;

use workspace::{Package, Workspace};

/// Crates below the line. Those that are not written yet count from their first day.
const BELOW: [&str; 5] = [
    "shiome-wire",
    "shiome-gossip",
    "shiome-handshake",
    "shiome-session",
    "shiome-swim",
];

/// What no crate below the line may reach: runtimes, sockets, actors, and randomness of its own.
const FORBIDDEN_BELOW: [&str; 7] = [
    "tokio",
    "mio",
    "socket2",
    "ractor",
    "rand",
    "fastrand",
    "getrandom",
];

/// Packages that may depend on the facade.
const ABOVE_FACADE: [&str; 5] = [
    "shiome-cli",
    "shiome-tests",
    "shiome-derive-tests",
    "shiome-hostile",
    "xtask",
];

/// Packages that may depend on `ractor`, whose registries are global to the process.
const ABOVE_RACTOR: [&str; 6] = [
    "shiome-ractor",
    "shiome",
    "shiome-cli",
    "shiome-tests",
    "shiome-derive-tests",
    "shiome-hostile",
];

#[test]
fn crates_below_the_line_reach_no_runtime_socket_actor_or_randomness() {
    let workspace = Workspace::load();
    for name in BELOW.into_iter().filter(|name| workspace.has(name)) {
        let reached = workspace::reached_by(name);
        assert!(reached.iter().any(|other| other == name), "{reached:?}");
        let forbidden = named_in(&FORBIDDEN_BELOW, &reached);
        assert!(forbidden.is_empty(), "{name} reaches {forbidden:?}");
    }
}

#[test]
fn crates_below_the_line_declare_nothing_forbidden_for_any_platform_or_feature() {
    for package in Workspace::load().packages {
        if BELOW.contains(&package.name.as_str()) {
            let forbidden = named_in(&FORBIDDEN_BELOW, &package.dependencies);
            assert!(forbidden.is_empty(), "{} names {forbidden:?}", package.name);
        }
    }
}

#[test]
fn nothing_but_programs_and_tests_depends_on_the_facade() {
    let strangers = dependents("shiome", &ABOVE_FACADE);
    assert!(strangers.is_empty(), "{strangers:?} depend on the facade");
}

#[test]
fn only_the_bridge_and_what_stands_on_it_depends_on_ractor() {
    assert!(
        !dependents("ractor", &[]).is_empty(),
        "the bridge has to depend on ractor, or this looks for the wrong name"
    );
    let strangers = dependents("ractor", &ABOVE_RACTOR);
    assert!(strangers.is_empty(), "{strangers:?} depend on ractor");
}

#[test]
fn the_two_codecs_do_not_know_each_other() {
    for (codec, other) in [
        ("shiome-wire", "shiome-gossip"),
        ("shiome-gossip", "shiome-wire"),
    ] {
        let strangers = dependents(other, &[]);
        assert!(
            !strangers.contains(&codec.to_owned()),
            "{codec} depends on {other}"
        );
    }
}

#[test]
fn neither_bus_nor_links_nor_bridge_know_webrtc() {
    let dependents = dependents("shiome-webrtc", &[]);
    assert!(
        !dependents.is_empty(),
        "something tests it, or this looks for the wrong name"
    );
    for below in ["shiome-bus", "shiome-transport", "shiome-ractor"] {
        let depends = dependents.contains(&below.to_owned());
        assert!(!depends, "{below} depends on shiome-webrtc");
    }
}

#[test]
fn every_package_has_the_lints_of_the_workspace() {
    for package in Workspace::load().packages {
        let manifest = std::fs::read_to_string(&package.manifest).unwrap();
        assert!(
            opts_into_lints(&manifest),
            "{} lacks `[lints] workspace = true`",
            package.manifest.display()
        );
    }
}

#[test]
fn the_lints_of_the_workspace_forbid_unsafe_code() {
    let workspace = Workspace::load();
    let manifest = std::fs::read_to_string(workspace.root.join("Cargo.toml")).unwrap();
    let (_, lints) = manifest.split_once("\n[workspace.lints.rust]\n").unwrap();
    let lints = lints.split("\n[").next().unwrap();
    assert!(
        lints
            .lines()
            .any(|line| line == r#"unsafe_code = "forbid""#)
    );
}

#[test]
fn sources_below_the_line_take_no_clock_socket_or_thread() {
    let mut files = 0;
    for package in Workspace::load().packages {
        if !BELOW.contains(&package.name.as_str()) {
            continue;
        }
        let src = package.manifest.with_file_name("src");
        for (path, text) in sources::read(&src) {
            files += 1;
            let found = sources::forbidden(&text);
            assert!(found.is_empty(), "{}: {found:#?}", path.display());
        }
    }
    assert!(files >= BELOW.len(), "only {files} files were read");
}

/// Packages of the workspace that depend on `name` in any way, without those in `but`.
fn dependents(name: &str, but: &[&str]) -> Vec<String> {
    let depends = |package: &Package| package.dependencies.iter().any(|other| other == name);
    Workspace::load()
        .packages
        .into_iter()
        .filter(|package| depends(package) && !but.contains(&package.name.as_str()))
        .map(|package| package.name)
        .collect()
}

fn named_in(forbidden: &[&'static str], names: &[String]) -> Vec<&'static str> {
    let named = |name: &&&str| names.iter().any(|other| other == **name);
    forbidden.iter().filter(named).copied().collect()
}

fn opts_into_lints(manifest: &str) -> bool {
    let mut lines = manifest.lines().map(str::trim);
    lines.any(|line| line == "[lints]") && lines.next() == Some("workspace = true")
}

#[test]
fn a_manifest_without_the_lints_is_told_apart() {
    assert!(opts_into_lints("[package]\n\n[lints]\nworkspace = true\n"));
    assert!(!opts_into_lints("[package]\n"));
    assert!(!opts_into_lints(
        "[lints]\n\n[dependencies]\nworkspace = true"
    ));
    assert!(!opts_into_lints("[lints.rust]\nworkspace = true"));
}
