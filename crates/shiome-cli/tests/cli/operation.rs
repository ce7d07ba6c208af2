//! A node as its operators see it.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::{
    node::{address, cookie, ends_cleanly, lines_with},
    support::{Running, error_of, output, shiome},
};

/// A user with a directory for sockets, and a cookie.
pub(super) struct User {
    runtime: TempDir,
    cookie: tempfile::NamedTempFile,
}

impl User {
    pub(super) fn new() -> Self {
        Self {
            runtime: tempfile::tempdir().unwrap(),
            cookie: cookie("a secret"),
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = shiome(args);
        command.env("XDG_RUNTIME_DIR", self.runtime.path());
        command
    }

    pub(super) fn start(&self, name: &str, more: &[&str]) -> Running {
        let cookie = self.cookie.path().to_str().unwrap();
        let args = [&["node", name, "--cookie-file", cookie], more].concat();
        Running::spawn(&mut self.command(&args))
    }

    /// What a command prints that goes well.
    fn told(&self, args: &[&str]) -> String {
        let output = output(&mut self.command(args));
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{args:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, args: &[&str]) -> Value {
        let told = self.told(&[args, &["--json"]].concat());
        serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {told}"))
    }

    fn error(&self, args: &[&str], code: i32) -> String {
        error_of(&mut self.command(args), code)
    }

    /// Two nodes with a session.
    fn pair(&self) -> (Running, Running, String) {
        let a = self.start("a@127.0.0.1:0", &[]);
        let at = address(&a, "a@127.0.0.1");
        let b = self.start("b@127.0.0.1:0", &["--connect", &at]);
        address(&b, "b@127.0.0.1");
        lines_with(&b, &["ready a@127.0.0.1"]);
        lines_with(&a, &["ready b@127.0.0.1"]);
        (a, b, at)
    }
}

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

/// One request of HTTP/1.0, and all of its answer.
pub(super) fn http(at: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(at).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nhost: any.example\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn health_and_metrics_are_there_for_all_and_nothing_else_is() {
    let user = User::new();
    let a = user.start(
        "a@127.0.0.1:0",
        &["--http", "127.0.0.1:0", "--drain", "600"],
    );
    let at = address(&a, "a@127.0.0.1");
    let log = a.log("address=tcp://");
    let http_at: SocketAddr = log.split("tcp://").nth(1).unwrap().trim().parse().unwrap();
    let b = user.start("b@127.0.0.1:0", &["--connect", &at]);
    lines_with(&a, &["ready b@127.0.0.1"]);

    for path in ["/healthz", "/readyz"] {
        assert!(http(http_at, path).starts_with("HTTP/1.0 200"), "{path}");
    }
    let began = Instant::now();
    let metrics = loop {
        let metrics = http(http_at, "/metrics");
        if metrics.contains("shiome_peer_connected{peer=\"b@127.0.0.1\"} 1") {
            break metrics;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{metrics}");
    };
    assert!(metrics.contains("shiome_link_bytes_total"), "{metrics}");
    for path in ["/v1/node", "/v1/sessions", "/v1/feed", "/v1/call"] {
        assert!(http(http_at, path).starts_with("HTTP/1.0 404"), "{path}");
    }

    // Told to stop, it is not ready, and goes on for as long as it was told.
    a.signal(Signal::TERM);
    a.log("not ready any more");
    assert!(http(http_at, "/readyz").starts_with("HTTP/1.0 503"));
    assert!(http(http_at, "/healthz").starts_with("HTTP/1.0 200"));
    let sessions = user.json(&["sessions", "--admin", "a"]);
    assert_eq!(sessions[0]["state"], "ready");
    // A second signal is obeyed at once.
    let mut a = a;
    a.signal(Signal::TERM);
    assert_eq!(a.exit().code(), Some(1));
    ends_cleanly(b, Signal::TERM);
}

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
    ends_cleanly(a, Signal::TERM);
}

#[test]
fn what_is_no_request_does_no_harm() {
    let user = User::new();
    let a = user.start("a@127.0.0.1:0", &[]);
    address(&a, "a@127.0.0.1");
    let socket = sockets(&user).remove(0);
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
    let seen = user.json(&["watch", "--once"]);
    assert!(
        seen["refused"]["malformed"].as_u64().unwrap() > 0,
        "{}",
        seen["refused"]
    );
    ends_cleanly(a, Signal::TERM);
}

#[test]
fn a_bench_measures_casts_and_calls_between_two_processes() {
    let user = User::new();
    let rows = user.json(&["bench", "--time", "1", "--size", "8"]);
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 5, "{rows:?}");
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
