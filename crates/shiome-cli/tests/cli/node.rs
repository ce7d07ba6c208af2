use std::{io::Write as _, net::TcpListener, os::unix::fs::PermissionsExt as _, path::Path};

use rustix::process::Signal;
use tempfile::NamedTempFile;

use super::support::{Running, error_of, own_address, shiome};

pub(super) fn cookie(secret: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(secret.as_bytes()).unwrap();
    file
}

pub(super) fn start(name: &str, cookie: &Path, more: &[&str]) -> Running {
    let cookie = cookie.to_str().unwrap();
    let mut args = vec!["node", "--name", name, "--cookie-file", cookie];
    args.extend(more);
    Running::spawn(&mut shiome(&args))
}

/// The address that a node has just said it listens on.
pub(super) fn address(node: &Running, name: &str) -> String {
    let line = node.line();
    let address = line.strip_prefix(&format!("listening {name} at "));
    address.expect(&line).to_owned()
}

/// Waits until the node has printed all these lines, in any order, and tells what else it has printed until then.
pub(super) fn lines_with(node: &Running, expected: &[&str]) -> Vec<String> {
    let mut missing: Vec<&str> = expected.to_vec();
    let mut others = Vec::new();
    while !missing.is_empty() {
        let line = node.line();
        match missing.iter().position(|start| line.starts_with(start)) {
            Some(found) => drop(missing.remove(found)),
            None => others.push(line),
        }
    }
    others
}

pub(super) fn ends_cleanly(mut node: Running, signal: Signal) {
    node.signal(signal);
    assert_eq!(node.exit().code(), Some(0));
    let rest: Vec<_> = node.stdout.iter().collect();
    assert_eq!(rest.last().unwrap(), "stopped", "{rest:?}");
}

#[test]
fn two_nodes_connect_and_say_so() {
    let secret = cookie("a secret\n");
    let a = start("a@127.0.0.1:0", secret.path(), &[]);
    let a_address = address(&a, "a@127.0.0.1");
    // The line end does not belong to the cookie.
    let same = cookie("a secret");
    let b = start("b@127.0.0.1:0", same.path(), &["--connect", &a_address]);
    address(&b, "b@127.0.0.1");
    assert_eq!(b.line(), format!("ready a@127.0.0.1 at {a_address}"));
    let line = a.line();
    assert!(
        line.starts_with("ready b@127.0.0.1 at 127.0.0.1:"),
        "{line}"
    );

    ends_cleanly(b, Signal::TERM);
    assert_eq!(a.line(), "lost b@127.0.0.1: it has stopped");
    ends_cleanly(a, Signal::INT);
}

#[test]
fn a_node_dials_until_its_peer_is_there_and_again_when_it_comes_back() {
    let secret = cookie("a secret");
    let target = own_address();
    let name = format!("late@{target}");

    let early = start("early@127.0.0.1:0", secret.path(), &["--connect", &target]);
    address(&early, "early@127.0.0.1");
    let line = early.line();
    assert!(
        line.starts_with(&format!("reconnecting {target} in ")) && line.contains(" ms, dial 2: "),
        "{line}"
    );
    for _ in 0..2 {
        let mut late = start(&name, secret.path(), &[]);
        assert_eq!(address(&late, "late@127.0.0.1"), target);
        let others = lines_with(&early, &[&format!("ready late@127.0.0.1 at {target}")]);
        assert!(
            others.iter().all(|line| line.starts_with("reconnecting ")),
            "{others:?}"
        );
        late.signal(Signal::KILL);
        assert_eq!(late.exit().code(), None);
        lines_with(
            &early,
            &[
                "lost late@127.0.0.1: ",
                &format!("reconnecting {target} in "),
            ],
        );
    }
    ends_cleanly(early, Signal::TERM);
}

#[test]
fn nodes_with_different_cookies_do_not_connect() {
    let (one, other) = (cookie("first-secret"), cookie("second-secret"));
    let a = start("a@127.0.0.1:0", one.path(), &[]);
    let a_address = address(&a, "a@127.0.0.1");
    let b = start("b@127.0.0.1:0", other.path(), &["--connect", &a_address]);
    address(&b, "b@127.0.0.1");
    let line = b.line();
    assert!(
        line.starts_with(&format!("reconnecting {a_address} in ")),
        "{line}"
    );
    assert!(line.contains("handshake failed"), "{line}");
    let log = b.log("not connected, dialling again");
    // Nothing was said of a session, and no secret appeared.
    ends_cleanly(b, Signal::TERM);
    for said in [line, log] {
        assert!(!said.contains("secret"), "{said}");
    }
    assert!(a.stdout.try_recv().is_err());
}

#[test]
fn the_cookie_can_come_from_the_environment() {
    let mut command = shiome(&["node", "--name", "a@127.0.0.1:0"]);
    let node = Running::spawn(command.env("SHIOME_COOKIE", "a secret"));
    address(&node, "a@127.0.0.1");
    ends_cleanly(node, Signal::TERM);
    let error = error_of(command.env("SHIOME_COOKIE", ""), 2);
    assert_eq!(error, "error: the cookie in SHIOME_COOKIE is empty");
}

#[test]
fn there_is_no_node_without_a_cookie() {
    let error = error_of(&mut shiome(&["node", "--name", "a@127.0.0.1:0"]), 2);
    assert!(error.starts_with("error: a node needs a cookie"), "{error}");

    let empty = cookie("\n");
    let path = empty.path().to_str().unwrap();
    let args = ["node", "--name", "a@127.0.0.1:0", "--cookie-file", path];
    let error = error_of(&mut shiome(&args), 2);
    assert_eq!(error, format!("error: the cookie in `{path}` is empty"));

    let args = [
        "node",
        "--name",
        "a@127.0.0.1:0",
        "--cookie-file",
        "/nowhere/at/all",
    ];
    let error = error_of(&mut shiome(&args), 2);
    assert!(
        error.starts_with("error: cannot read cookie file `/nowhere/at/all`: "),
        "{error}"
    );
}

#[test]
fn a_cookie_that_others_can_read_is_warned_of() {
    for (mode, warned) in [(0o600, false), (0o640, true), (0o604, true)] {
        let secret = cookie("a secret");
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(secret.path(), permissions).unwrap();
        let mut node = start("a@127.0.0.1:0", secret.path(), &[]);
        address(&node, "a@127.0.0.1");
        node.signal(Signal::TERM);
        assert_eq!(node.exit().code(), Some(0));
        let mut log = node.stderr.iter();
        assert_eq!(
            log.any(|line| line.contains("can read the cookie")),
            warned,
            "{mode:o}"
        );
    }
}

#[test]
fn a_wrong_address_is_refused() {
    let secret = cookie("a secret");
    let path = secret.path().to_str().unwrap();
    let with = |more: &[&str]| {
        let mut args = vec!["node", "--cookie-file", path];
        args.extend(more);
        error_of(&mut shiome(&args), 2)
    };
    let error = with(&["--name", "no-host"]);
    assert!(
        error.contains("`no-host` is not of the form name@host:port"),
        "{error}"
    );
    assert!(with(&["--name", "a@0.0.0.0:1"]).contains("cannot dial"));
    assert!(with(&["--name", "a@127.0.0.1:0", "--connect", "nowhere"]).contains("HOST:PORT"));
    assert!(with(&["--name", "a@127.0.0.1:0", "--listen", "nowhere"]).contains("--listen"));
    assert!(with(&["--name", "a@127.0.0.1:0", "--log", "a=b=c"]).contains("log filter"));
}

#[test]
fn a_taken_port_is_an_error() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = format!("a@{}", taken.local_addr().unwrap());
    let secret = cookie("a secret");
    let path = secret.path().to_str().unwrap();
    let args = [
        "node",
        "--name",
        &name,
        "--cookie-file",
        path,
        "--log",
        "off",
    ];
    let error = error_of(&mut shiome(&args), 1);
    assert!(error.starts_with("error: cannot listen: "), "{error}");
}
