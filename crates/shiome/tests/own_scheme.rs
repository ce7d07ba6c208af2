//! The example of a scheme of one's own joins two nodes.
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::{
    env,
    process::{Command, Stdio},
};

#[expect(dead_code, reason = "an example has a main function")]
#[path = "../examples/own_scheme.rs"]
mod own_scheme;

/// Says to a process of this test which part of the example it plays.
const PART: &str = "SHIOME_EXAMPLE_PART";

const THE_EXAMPLE: &str = "the_example_joins_two_nodes_through_a_proxy";

/// This test again, in that part.
fn part(name: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", THE_EXAMPLE, "--nocapture"])
        .env(PART, name)
        .stdout(Stdio::piped());
    command
}

#[tokio::main]
async fn play(name: &str) {
    let ended = match name {
        "far" => own_scheme::greet().await,
        _ => own_scheme::run(part("far")).await,
    };
    ended.unwrap();
}

#[test]
fn the_example_joins_two_nodes_through_a_proxy() {
    if let Ok(name) = env::var(PART) {
        return play(&name);
    }
    let near = part("near").output().unwrap();
    let printed = String::from_utf8(near.stdout).unwrap();
    assert!(near.status.success(), "{printed}");
    for shown in [
        "joined far@127.0.0.1 at proxy://127.0.0.1:",
        "hello near, from far",
    ] {
        assert!(printed.contains(shown), "{printed}");
    }
}
