use std::{process::Output, time::Duration};

use super::support::{output, output_within, own_ports, shiome};

/// How long a demo may take that waits five times as long as usual, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(600);

/// Runs a demo on a machine that does much else, where nobody else listens.
fn demo(args: &[&str]) -> Output {
    // Three nodes, and the pair.
    let first = own_ports(5).to_string();
    let busy = ["demo", "--patience", "5", "--first-port", &first];
    output_within(PATIENCE, &mut shiome(&[&busy, args].concat()))
}

fn rows(file: &std::path::Path) -> Vec<serde_json::Value> {
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

/// What every demo must have seen, not how long that took.
const SEEN: [&str; 25] = [
    "all know a and find each other: 3 sessions",
    "6000 casts, every node to every other: all counted",
    "600 calls: all answers right",
    "c gets SIGKILL: a and b see the session end",
    "a and b see the counter of c leave the group",
    "2 open calls to c end",
    "gossip: a and b know c failed",
    "2 new calls by old refs fail",
    "c is found: sessions and group whole",
    "4000 casts from and to c, 600 calls: all right",
    "c gets SIGSTOP: a and b know it failed",
    "its sessions are closed, 2 open calls end",
    "c gets SIGCONT: is back, calls right",
    "no seeds, no gossip: x keeps connected to y",
    "y exports 4 of its 5 actors: x finds no other",
    "1000 casts by a RemoteRef: all counted",
    "x stops an actor of y: \"stopped: out of work\"",
    "3 calls end, and say why; at most ",
    " of 100000 casts, then Full; ",
    "\"node down: it does not respond\", ",
    "y gets SIGCONT: connected, the RemoteRef is good",
    "100 MiB and ",
    "y is killed: \"node down: ",
    "y is back: the old RemoteRef has ended, a new works",
    "x and y closed their session",
];

/// Runs the demo, which must see these things beside [`SEEN`], in so many lines at most.
fn takes_all_steps(args: &[&str], more: &[&str], lines: usize) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let json = file.path().to_str().unwrap();
    let output = demo(&[&["--json", json], args].concat());
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert!(output.stderr.is_empty());

    for seen in SEEN.iter().chain(more) {
        assert!(printed.contains(seen), "`{seen}` is not in:\n{printed}");
    }
    assert!(printed.lines().count() <= lines, "one screen:\n{printed}");
    assert!(printed.lines().all(|line| line.chars().count() <= 80));

    let rows = rows(file.path());
    assert!(rows.len() > 10);
    let mut promises = 0;
    for row in rows {
        assert_eq!(row["holds"], true, "{row}");
        let ms = row["value"].as_f64().unwrap();
        assert!(ms >= 0.0);
        promises += usize::from(row["goal"].as_f64().is_some_and(|goal| ms <= goal));
    }
    assert_eq!(promises, 10);
}

#[test]
fn the_demo_takes_all_steps() {
    takes_all_steps(&[], &[], 36);
}

#[test]
fn the_demo_takes_all_steps_over_tls_and_refuses_wrong_certificates() {
    let more = [
        "a process each, all links TLS",
        "3 sessions over TLS, each name as certified",
        "z of another CA: refused, \"fatal alert: UnknownCA\"",
        "z with certificate of x: \"refused: not allowed\"",
        "x, with its own certificate, is let in",
        "  dashboard http://127.0.0.1:",
        // There is no input to wait for.
        "  Enter goes on: a node is killed",
        "  Enter goes on: the nodes stop",
    ];
    takes_all_steps(&["--tls", "--dashboard"], &more, 43);
}

#[test]
fn a_step_that_fails_is_named_and_ends_the_demo() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let json = file.path().to_str().unwrap();
    let output = demo(&["--break", "cookie", "--json", json]);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{printed}");
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(error, "error: demo failed at step `join`");
    assert!(printed.contains("expected  a: sessions with all others of [a@127.0.0.1"));
    assert!(printed.contains("seen      a: 1 members, sessions [b@127.0.0.1]"));
    assert!(!printed.contains("casts"));

    let rows = rows(file.path());
    let holds = |name: &str| {
        let row = rows.iter().find(|row| row["name"] == name);
        row.unwrap()["holds"].clone()
    };
    assert_eq!(holds("start"), true);
    assert_eq!(holds("join"), false);
    assert_eq!(holds("stop"), serde_json::Value::Null);
    assert_eq!(holds("part"), serde_json::Value::Null);
}

#[test]
fn the_number_of_nodes_has_bounds() {
    for wrong in ["0", "2", "10", "many"] {
        let output = output(&mut shiome(&["demo", "--nodes", wrong]));
        assert_eq!(output.status.code(), Some(2), "{wrong}");
    }
}
