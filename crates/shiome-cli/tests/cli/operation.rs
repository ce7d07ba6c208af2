//! A node as its operators see it.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    path::Path,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{
    node::{address, ends_cleanly},
    user::User,
};

#[test]
fn a_node_tells_its_user_what_it_is_at() {
    let user = User::new();
    let (a, b, at) = user.pair();

    let sessions = user.json(&["sessions", "--admin", "a"]);
    assert_eq!(sessions[0]["peer"], "b@127.0.0.1");
    assert_eq!(
        (&sessions[0]["state"], &sessions[0]["tier"]),
        (&"ready".into(), &"native".into())
    );
    let text = user.told(&["sessions", "--admin", "a@127.0.0.1"]);
    assert!(
        text.starts_with("LINK") && text.contains("b@127.0.0.1"),
        "{text}"
    );

    let pong = user.json(&["ping", "b@127.0.0.1", "--admin", &format!("a@{at}")]);
    assert_eq!(pong["node"], "b@127.0.0.1");
    assert!(pong["round_trip_us"].as_u64().unwrap() < 5_000_000);
    let text = user.told(&["ping", "b@127.0.0.1", "--admin", "a", "--count", "2"]);
    assert_eq!(
        text.matches("b@127.0.0.1 answered in ").count(),
        2,
        "{text}"
    );

    assert_eq!(
        user.told(&["members", "--admin", "a"]).trim(),
        "the node does not gossip"
    );
    let actors = user.json(&["actors", "--admin", "a"]);
    assert!(actors["total"].as_u64().unwrap() > 0, "{actors}");
    let text = user.told(&["actors", "--admin", "a", "--limit", "1"]);
    assert!(text.contains("1 of "), "{text}");
    assert_eq!(
        user.json(&["actors", "b@127.0.0.1", "--admin", "a"])["items"],
        serde_json::json!([])
    );
    assert_eq!(user.json(&["groups", "--admin", "a"])["total"], 0);

    let watched = user.told(&["watch", "--once", "--admin", "a"]);
    for part in ["a@127.0.0.1  ready", "b@127.0.0.1", "native", "EVENT"] {
        assert!(watched.contains(part), "{part}: {watched}");
    }
    let watched = user.json(&["watch", "--once", "--admin", "a"]);
    assert_eq!(watched["node"]["name"], "a@127.0.0.1");
    ends_cleanly(b, Signal::TERM);
    ends_cleanly(a, Signal::TERM);
}

#[test]
fn the_only_node_need_not_be_named_and_of_several_one_must_be() {
    let user = User::new();
    let error = user.error(&["sessions"], 4);
    assert!(error.contains("no node of this user runs"), "{error}");
    let a = user.start("a@127.0.0.1:0", &[]);
    address(&a, "a@127.0.0.1");
    assert_eq!(user.told(&["sessions"]).trim(), "there are no sessions");
    let mut b = user.start("b@127.0.0.1:0", &[]);
    address(&b, "b@127.0.0.1");
    let error = user.error(&["sessions"], 2);
    assert!(
        error.contains("a@127.0.0.1:") && error.contains("b@127.0.0.1:"),
        "{error}"
    );
    let error = user.error(&["sessions", "--admin", "c"], 4);
    assert!(error.contains("is called `c`"), "{error}");
    // One that was killed leaves its socket behind, and is none.
    b.signal(Signal::KILL);
    assert_eq!(b.exit().code(), None);
    assert_eq!(user.told(&["sessions"]).trim(), "there are no sessions");
    ends_cleanly(a, Signal::TERM);
    assert_eq!(sockets(&user).len(), 1, "that of the killed one");
}

fn sockets(user: &User) -> Vec<std::path::PathBuf> {
    let dir = fs::read_dir(user.runtime.path().join("shiome")).unwrap();
    dir.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn the_socket_is_the_users_alone() {
    let user = User::new();
    let a = user.start("a@127.0.0.1:0", &[]);
    address(&a, "a@127.0.0.1");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let sockets = sockets(&user);
    assert_eq!(mode(&sockets[0]), 0o600);
    assert_eq!(mode(sockets[0].parent().unwrap()), 0o700);
    ends_cleanly(a, Signal::TERM);

    let dir = user.runtime.path().join("shiome");
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    let a = user.start("a@127.0.0.1:0", &[]);
    address(&a, "a@127.0.0.1");
    a.log("no socket for operators");
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
    ends_cleanly(a, Signal::TERM);
}

#[test]
fn what_cannot_be_done_has_an_exit_code_of_its_own() {
    let user = User::new();
    let a = user.start("a@127.0.0.1:0", &[]);
    address(&a, "a@127.0.0.1");
    let error = user.error(&["ping", "nobody@h"], 5);
    assert_eq!(error, "error: no session with `nobody@h`");
    let error = user.error(&["call", ".", "nobody", "Hello", "u8:1"], 5);
    assert_eq!(error, "error: the node has no such actor");
    let error = user.error(&["call", ".", "nobody", "Hello", "u8:300"], 2);
    assert!(error.contains("`u8:300`"), "{error}");
    let error = user.error(&["sessions", "--admin", "http://127.0.0.1:1"], 2);
    assert!(error.contains("unix:/PATH"), "{error}");
    let error = user.error(&["sessions", "--admin", "unix:/nowhere/at/all"], 4);
    assert!(error.contains("cannot be reached"), "{error}");
    ends_cleanly(a, Signal::TERM);
}

#[test]
fn over_tcp_nothing_goes_without_the_token() {
    let user = User::new();
    let token = user.runtime.path().join("token");
    fs::write(&token, "0123456789abcdef0123456789abcdef\n").unwrap();
    let token = token.to_str().unwrap();
    let admin = ["--admin", "tcp://127.0.0.1:0", "--admin-token-file", token];
    let a = user.start("a@127.0.0.1:0", &admin);
    address(&a, "a@127.0.0.1");
    let log = a.log("serves operators");
    let at = log.split("address=").nth(1).unwrap().trim().to_owned();

    let node = user.json(&["watch", "--once", "--admin", &at, "--token-file", token]);
    assert_eq!(node["node"]["name"], "a@127.0.0.1");
    let error = user.error(&["sessions", "--admin", &at], 2);
    assert!(error.contains("--token-file"), "{error}");
    let wrong = user.runtime.path().join("wrong");
    fs::write(&wrong, "0123456789abcdef0123456789abcdee").unwrap();
    let wrong = wrong.to_str().unwrap();
    let error = user.error(&["sessions", "--admin", &at, "--token-file", wrong], 4);
    assert!(
        error.contains("lets nobody in") && !error.contains("0123"),
        "{error}"
    );
    let node = user.json(&["watch", "--once", "--admin", &at, "--token-file", token]);
    assert_eq!(node["refused"]["unauthorized"], 1);
    ends_cleanly(a, Signal::TERM);

    for (settings, told) in [
        (
            vec!["--admin", "tcp://127.0.0.1:0"],
            "needs `admin-token-file`",
        ),
        (
            vec!["--admin", "tcp://10.0.0.1:1", "--admin-token-file", token],
            "to the network",
        ),
        (vec!["--admin-token-file", token], "is for `admin` over TCP"),
        (
            vec!["--dashboard", "10.0.0.1:1"],
            "`dashboard` 10.0.0.1:1 is not of this host alone",
        ),
        (
            vec!["--dashboard-token-file", token],
            "is for `dashboard`, which is not given",
        ),
        (
            vec!["--admin", "nowhere"],
            "unix:/PATH, tcp://IP:PORT or off",
        ),
    ] {
        let cookie = user.cookie.path().to_str().unwrap();
        let args = [
            &["node", "a@h:1", "--check", "--cookie-file", cookie],
            &settings[..],
        ]
        .concat();
        let error = user.error(&args, 2);
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn a_node_that_cannot_serve_as_told_does_not_run() {
    let user = User::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for told in [["--http", &taken], ["--admin", "unix:/nowhere/at/all.sock"]] {
        let mut node = user.start("a@127.0.0.1:0", &told);
        assert_eq!(node.exit().code(), Some(1), "{told:?}");
        assert!(
            node.stdout.iter().next().is_none(),
            "it never said that it listens"
        );
        node.log("cannot serve operators at");
    }
}

#[test]
fn a_node_without_an_admin_endpoint_cannot_be_asked() {
    let user = User::new();
    let a = user.start("a@127.0.0.1:0", &["--admin", "off"]);
    address(&a, "a@127.0.0.1");
    user.error(&["sessions"], 4);
    ends_cleanly(a, Signal::TERM);
}

#[test]
fn what_is_no_request_does_no_harm() {
    let user = User::new();
    let a = user.start("a@127.0.0.1:0", &[]);
    address(&a, "a@127.0.0.1");
    let socket = sockets(&user).remove(0);
    let refused = |reason: &str| {
        user.json(&["watch", "--once"])["refused"][reason]
            .as_u64()
            .unwrap()
    };
    let before = refused("too_large");
    for garbage in [
        &b"\0\0\0\0"[..],
        b"GET",
        &[b'x'; 100_000],
        b"POST /v1/call HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\n\r\n",
    ] {
        let mut stream = UnixStream::connect(&socket).unwrap();
        // The node may close it before all is written.
        let _ = stream.write_all(garbage);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    }
    // The node counts just after it has closed the connection.
    let began = Instant::now();
    while refused("malformed") == 0 || refused("too_large") < before + 2 {
        assert!(began.elapsed() < Duration::from_secs(60), "not counted");
    }
    // A head, and a body.
    assert_eq!(refused("too_large"), before + 2);
    ends_cleanly(a, Signal::TERM);
}
