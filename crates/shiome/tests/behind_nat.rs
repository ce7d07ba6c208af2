//! The example of a cluster behind NAT joins two nodes that meet on a relay.
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::{
    env,
    io::{BufRead as _, BufReader},
    process::{Child, ChildStdout, Command, Stdio},
};

#[expect(dead_code, reason = "an example has a main function")]
#[path = "../examples/behind_nat.rs"]
mod behind_nat;

/// Says to a process of this test which part of the example it plays.
const PART: &str = "SHIOME_EXAMPLE_PART";

const THE_EXAMPLE: &str = "the_example_joins_two_nodes_that_meet_on_a_relay";

/// A process of the example, killed when dropped.
struct Part {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Part {
    fn play(part: &str) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", THE_EXAMPLE, "--nocapture"]);
        command.env(PART, part).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Waits until it says this; what follows.
    fn says(&mut self, what: &str) -> String {
        for line in self.lines.by_ref() {
            if let Some((_, rest)) = line.unwrap().split_once(what) {
                return rest.to_owned();
            }
        }
        panic!("it did not say {what:?}");
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::main]
async fn play(part: &str) {
    let args: Vec<_> = part.split(' ').map(str::to_owned).collect();
    let ended = match &args[..] {
        [relay] => behind_nat::relay(relay).await,
        [name, url, others @ ..] => behind_nat::node(name, url, others).await,
        [] => Ok(()),
    };
    ended.unwrap();
}

#[test]
fn the_example_joins_two_nodes_that_meet_on_a_relay() {
    if let Ok(part) = env::var(PART) {
        return play(&part);
    }
    let mut relay = Part::play("127.0.0.1:0");
    let url = relay.says("the relay is at ");
    let mut alice = Part::play(&format!("alice {url}"));
    assert_eq!(alice.says("alice@alice listens at "), "rtc:alice");
    let mut bob = Part::play(&format!("bob {url} alice"));
    assert_eq!(bob.says("joined alice@alice at "), "rtc:alice");
    assert_eq!(bob.says("hello bob, "), "from alice");
}
