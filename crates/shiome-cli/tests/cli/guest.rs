//! What needs a node with actors, or none but a guest.

use rustix::process::Signal;
use serde_json::Value;

use super::{
    node::{address, cookie, ends_cleanly, lines_with},
    user::User,
};

#[test]
fn a_guest_asks_a_node_that_has_no_admin_endpoint() {
    let user = User::new();
    // As nodes of ractor_cluster are.
    let a = user.start("a@127.0.0.1:0", &["--admin", "off", "--legacy-only"]);
    let at = address(&a, "a@127.0.0.1");
    let secret = user.cookie.path().to_str().unwrap();
    let join = ["--join", &at, "--cookie-file", secret];
    let pong = user.json(&[&["ping"], &join[..]].concat());
    assert_eq!(pong["node"], "a@127.0.0.1");
    assert_eq!(
        user.json(&[&["actors"], &join[..]].concat())["items"],
        serde_json::json!([])
    );
    assert_eq!(user.json(&[&["groups"], &join[..]].concat())["total"], 0);
    let call = [&["call", ".", "nobody", "Hello"], &join[..]].concat();
    assert_eq!(user.error(&call, 5), "error: the node has no such actor");
    let wrong = cookie("another");
    let wrong = [
        "ping",
        "--join",
        &at,
        "--cookie-file",
        wrong.path().to_str().unwrap(),
    ];
    let error = user.error(&wrong, 4);
    assert!(error.contains("cannot be joined"), "{error}");
    let error = user.error(&["ping", "--join", "nowhere"], 2);
    assert!(
        error.contains("`nowhere` is not of the form HOST:PORT"),
        "{error}"
    );
    ends_cleanly(a, Signal::TERM);
}

#[test]
fn a_bench_measures_casts_and_calls_between_two_processes() {
    let user = User::new();
    let rows = user.json(&["bench", "--time", "1", "--size", "8", "--metrics"]);
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 6, "{rows:?}");
    for row in rows {
        assert!(row["value"].as_f64().unwrap() > 0.0, "{row}");
        assert_eq!(row["group"], "bench");
    }
    let time = |row: usize| rows[row]["value"].as_f64().unwrap();
    assert!(time(2) <= time(3), "the median is no longer than most");
}

/// The node of the bench, whose actor understands calls.
fn worker(user: &User) -> (std::process::Child, String) {
    use std::io::{BufRead as _, BufReader};

    let mut command = user.command(&["bench-node"]);
    command.env("SHIOME_COOKIE", "a secret");
    let piped = || std::process::Stdio::piped();
    let mut node = command.stdin(piped()).stdout(piped()).spawn().unwrap();
    let mut at = String::new();
    let mut stdout = BufReader::new(node.stdout.take().unwrap());
    stdout.read_line(&mut at).unwrap();
    (node, at.trim().to_owned())
}

#[test]
fn an_actor_is_called_by_hand_as_a_guest_and_through_another_node() {
    let user = User::new();
    let (mut node, at) = worker(&user);
    let a = user.start("a@127.0.0.1:0", &["--connect", &at]);
    address(&a, "a@127.0.0.1");
    lines_with(&a, &["ready bench-worker@127.0.0.1"]);
    let secret = user.cookie.path().to_str().unwrap();
    let join = ["--join", &at, "--cookie-file", secret];
    let through = ["--admin", "a"];
    for (asked, whom) in [(&join[..], "."), (&through[..], "bench-worker@127.0.0.1")] {
        let call =
            |more: &[&str]| user.told(&[&["call", whom, "bench-worker"], more, asked].concat());
        assert_eq!(call(&["Echo", "hello"]).trim(), "hello");
        assert_eq!(call(&["Echo", "u16:258", "--as", "uint"]).trim(), "258");
        let before: u64 = call(&["Taken", "--as", "uint"]).trim().parse().unwrap();
        assert_eq!(call(&["Take", "hex:00", "--cast"]), "");
        let after: u64 = call(&["Taken", "--as", "uint"]).trim().parse().unwrap();
        assert_eq!(after, before + 1);
        let named = [&["actors"], asked, &["--search", "bench-worker"]].concat();
        let named = match whom {
            "." => user.json(&named),
            peer => user.json(&[&["actors", peer], asked].concat()),
        };
        assert_eq!(named["items"][0]["name"], "bench-worker");
        let wrong = [&["call", whom, "bench-worker", "NoSuch"], asked].concat();
        let error = user.error(&wrong, 5);
        assert!(error.contains("does not understand"), "{error}");
    }
    let by_value = [
        &[
            "call",
            ".",
            "bench-worker",
            "Taken",
            "--json",
            "--as",
            "bool",
        ],
        &join[..],
    ]
    .concat();
    let reply: Value = serde_json::from_str(&user.told(&by_value)).unwrap();
    assert!(
        reply["shown"].is_null() && reply["reply_hex"].is_string(),
        "{reply}"
    );
    drop(node.stdin.take());
    assert!(node.wait().unwrap().success());
    ends_cleanly(a, Signal::TERM);
}
