//! What the README shows is what runs, or compiles at least.
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::{
    env,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

#[expect(dead_code, reason = "an example has a main function")]
#[path = "../examples/handles.rs"]
mod handles;
mod readme {
    #[expect(dead_code, reason = "there is no such network here")]
    mod fragments;
}

const README: &str = include_str!("../../../README.md");

/// Lines of the example that say nothing to a reader: they serve the lints and a feature that is off by default.
fn is_shown(line: &str) -> bool {
    !line.starts_with("//!") && !line.starts_with("#![allow") && !line.contains("async-trait")
}

/// The blocks of Rust in the README.
fn blocks() -> Vec<&'static str> {
    let blocks = README.split("```rust\n").skip(1);
    blocks
        .map(|rest| rest.split_once("```").unwrap().0)
        .collect()
}

#[test]
fn the_readmes_example_is_the_one_that_runs() {
    let example = include_str!("../examples/counter.rs");
    let lines = example.lines().filter(|line| is_shown(line));
    let expected: String = lines.flat_map(|line| [line, "\n"]).collect();
    assert_eq!(blocks()[0], expected.trim_start());
}

/// Without indentation, which is that of the place.
fn flat(code: &str) -> String {
    code.lines().flat_map(|line| [line.trim(), "\n"]).collect()
}

#[test]
fn every_other_block_of_the_readme_is_in_an_example_or_compiles() {
    let sources = [
        include_str!("../examples/handles.rs"),
        include_str!("readme/fragments.rs"),
    ];
    let sources = sources.map(flat);
    let rest = &blocks()[1..];
    assert_eq!(rest.len(), 5);
    for block in rest {
        let shown = flat(block);
        assert!(
            sources.iter().any(|source| source.contains(&shown)),
            "{block}"
        );
    }
}

/// Killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Says to a process of this test which node it is, and the port.
const NODE: &str = "SHIOME_EXAMPLE_NODE";

/// This test again, as that node of the example.
fn node(name: &str, port: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", THE_EXAMPLE, "--nocapture"])
        .env(NODE, format!("{name} {port}"))
        .stdout(Stdio::piped());
    command
}

/// What such a process does.
#[tokio::main]
async fn play(node: &str) {
    let ended = match node.split_once(' ').unwrap() {
        ("a", port) => handles::offer(port).await,
        (_, port) => handles::count(&format!("127.0.0.1:{port}")).await,
    };
    ended.unwrap();
}

const THE_EXAMPLE: &str = "the_example_with_handles_prints_what_the_readme_says";

#[test]
fn the_example_with_handles_prints_what_the_readme_says() {
    if let Ok(node) = env::var(NODE) {
        return play(&node);
    }
    let mut offer = Running(node("a", "0").spawn().unwrap());
    let said = BufReader::new(offer.0.stdout.take().unwrap()).lines();
    let mut ports = said.filter_map(|line| {
        let line = line.unwrap();
        let (_, port) = line.split_once("a@127.0.0.1 listens at port ")?;
        Some(port.to_owned())
    });
    let port = ports.next().unwrap();

    let count = node("b", &port).output().unwrap();
    assert!(count.status.success());
    let printed = String::from_utf8(count.stdout).unwrap();
    let (_, shown) = README.split_once("example handles -- b 4698\n").unwrap();
    let (shown, _) = shown.split_once("```").unwrap();
    assert_eq!(shown.lines().count(), 3);
    assert!(printed.contains(shown), "{printed}");
}
