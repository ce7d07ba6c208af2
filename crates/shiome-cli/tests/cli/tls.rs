//! `shiome node` with TLS.

use std::{fs, path::Path};

use rustix::process::Signal;
use tempfile::{NamedTempFile, TempDir};

use super::{
    node::{address, cookie, ends_cleanly, lines_with, start},
    support::{Running, error_of, output, shiome},
};

/// An authority, and a secret that nodes share.
struct Authority {
    dir: TempDir,
    cookie: NamedTempFile,
}

impl Authority {
    fn new() -> Self {
        let authority = Self {
            dir: tempfile::tempdir().unwrap(),
            cookie: cookie("a secret of TLS"),
        };
        authority.cert(&["init", "--dir"]);
        authority
    }

    fn cert(&self, args: &[&str]) {
        let dir = self.dir.path().to_str().unwrap();
        let made = output(&mut shiome(&[&["cert"], args, &[dir]].concat()));
        assert!(made.status.success());
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    /// Options of a node with the certificate of `owner`.
    fn options(&self, owner: &str) -> Vec<String> {
        let (cert, key) = (format!("{owner}.pem"), format!("{owner}.key"));
        if !Path::new(&self.path(&cert)).exists() {
            self.cert(&["issue", owner, "--ca"]);
        }
        let files = [("cert", cert), ("key", key), ("ca", "ca.pem".to_owned())];
        let options = files.map(|(option, file)| format!("--tls-{option}={}", self.path(&file)));
        options.into()
    }

    /// Starts the node `name` with the certificate of `owner`, and tells where it listens.
    fn node(&self, name: &str, owner: &str, more: &[&str]) -> (Running, String) {
        let options = self.options(owner);
        let mut args: Vec<&str> = options.iter().map(String::as_str).collect();
        args.extend(more);
        let node = start(&format!("{name}:0"), self.cookie.path(), &args);
        let at = address(&node, name);
        (node, at)
    }
}

const A: &str = "a@127.0.0.1";
const B: &str = "b@127.0.0.1";

/// That a dial has failed, for this reason.
fn fails(node: &Running, target: &str, why: &str) {
    let line = node.line();
    assert!(
        line.starts_with(&format!("reconnecting {target} in ")),
        "{line}"
    );
    assert!(line.contains(why), "{line}");
}

#[test]
fn nodes_with_certificates_connect_by_tls_and_by_nothing_else() {
    let authority = Authority::new();
    let (a, a_at) = authority.node(A, A, &[]);
    let (b, _) = authority.node(B, B, &["--connect", &a_at]);
    assert_eq!(b.line(), format!("ready {A} at {a_at}"));
    lines_with(&a, &[&format!("ready {B} at ")]);

    // Who knows the cookie and has no certificate is no member.
    let plain = start(
        "c@127.0.0.1:0",
        authority.cookie.path(),
        &["--connect", &a_at],
    );
    address(&plain, "c@127.0.0.1");
    fails(&plain, &a_at, "");
    ends_cleanly(plain, Signal::TERM);
    ends_cleanly(b, Signal::TERM);
    assert_eq!(a.line(), format!("lost {B}: it has stopped"));
    ends_cleanly(a, Signal::TERM);
}

#[test]
fn a_node_cannot_speak_as_another_or_with_another_authority() {
    let authority = Authority::new();
    let (a, a_at) = authority.node(A, A, &[]);
    let (thief, _) = authority.node(B, "c@127.0.0.1", &["--connect", &a_at]);
    fails(&thief, &a_at, "refused: not allowed");
    a.log("may not speak as \"b@127.0.0.1\"");
    ends_cleanly(thief, Signal::TERM);
    // Nothing was said of a session.
    a.signal(Signal::TERM);
    assert_eq!(a.line(), "stopped");

    // A node of its own: one that fails often is made to wait.
    let (a, a_at) = authority.node(A, A, &[]);
    let other = Authority::new();
    let (stranger, _) = other.node(B, B, &["--connect", &a_at]);
    fails(&stranger, &a_at, "unacceptable certificate");
    ends_cleanly(stranger, Signal::TERM);
    a.signal(Signal::TERM);
    assert_eq!(a.line(), "stopped");
}

#[test]
fn a_node_listens_at_more_than_one_address() {
    let authority = Authority::new();
    let socket = authority.path("a.sock");
    let unix = format!("unix:{socket}");
    let (a, _) = authority.node(
        A,
        A,
        &[
            "--listen-at",
            &unix,
            "--listen-at",
            "wss://127.0.0.1:0/cluster",
        ],
    );
    assert_eq!(a.line(), format!("listening {A} at {unix}"));
    let line = a.line();
    let web = line.strip_prefix(&format!("listening {A} at ")).unwrap();
    assert!(web.starts_with("wss://127.0.0.1:"), "{line}");
    for target in [unix.as_str(), web] {
        let (b, _) = authority.node(B, B, &["--connect", target]);
        let line = b.line();
        assert!(line.starts_with(&format!("ready {A} at ")), "{line}");
        lines_with(&a, &[&format!("ready {B} at ")]);
        ends_cleanly(b, Signal::TERM);
        lines_with(&a, &[&format!("lost {B}: ")]);
    }
    ends_cleanly(a, Signal::TERM);
}

/// Replaces the files that `a` has with those of another authority.
fn replace(authority: &Authority, with: &Authority) {
    with.options(A);
    for file in ["ca.pem", "a@127.0.0.1.pem", "a@127.0.0.1.key"] {
        fs::copy(with.path(file), authority.path(file)).unwrap();
    }
}

#[test]
fn certificates_are_taken_up_again_on_a_signal() {
    let (authority, next) = (Authority::new(), Authority::new());
    let (a, a_at) = authority.node(A, A, &["--tls-watch", "86400"]);
    let (b, _) = next.node(B, B, &["--connect", &a_at]);
    fails(&b, &a_at, "unacceptable certificate");
    ends_cleanly(b, Signal::TERM);

    // What does not fit together does not take the place of what does.
    fs::write(authority.path("a@127.0.0.1.key"), "no key").unwrap();
    a.signal(Signal::HUP);
    a.log("cannot be loaded");

    replace(&authority, &next);
    a.signal(Signal::HUP);
    a.log("certificates reloaded as told");
    let (b, _) = next.node(B, B, &["--connect", &a_at]);
    lines_with(&b, &[&format!("ready {A} at {a_at}")]);
    ends_cleanly(b, Signal::TERM);
    ends_cleanly(a, Signal::TERM);
}

#[test]
fn certificates_are_taken_up_again_when_their_files_change() {
    let (authority, next) = (Authority::new(), Authority::new());
    let (a, a_at) = authority.node(A, A, &["--tls-watch", "1"]);
    replace(&authority, &next);
    a.log("certificates reloaded");
    let (b, _) = next.node(B, B, &["--connect", &a_at]);
    lines_with(&b, &[&format!("ready {A} at {a_at}")]);
    ends_cleanly(b, Signal::TERM);
    ends_cleanly(a, Signal::TERM);
}

#[test]
fn a_guest_joins_over_tls_by_the_name_of_its_certificate() {
    let authority = Authority::new();
    let (a, at) = authority.node(A, A, &["--admin", "off"]);
    let cookie = authority.cookie.path().to_str().unwrap().to_owned();
    let ping = ["ping", "--join", &at, "--cookie-file", &cookie];
    let guest = authority.options("guest@127.0.0.1");
    let with = |options: &[String]| {
        let options = options.iter().map(String::as_str);
        shiome(&ping.into_iter().chain(options).collect::<Vec<_>>())
    };
    let pong = output(&mut with(&guest));
    let error = String::from_utf8(pong.stderr).unwrap();
    assert!(pong.status.success(), "{error}");
    let pong = String::from_utf8(pong.stdout).unwrap();
    assert!(pong.starts_with(&format!("{A} answered in ")), "{pong}");
    lines_with(&a, &["ready guest@127.0.0.1 at ", "lost guest@127.0.0.1: "]);

    // Without a certificate, with one of another authority, and with a part of one.
    let error = error_of(&mut with(&[]), 4);
    assert!(error.contains("cannot be joined"), "{error}");
    let stranger = Authority::new().options("guest@127.0.0.1");
    // The files are gone with their authority.
    let error = error_of(&mut with(&stranger), 2);
    assert!(error.contains("cannot read"), "{error}");
    let foreign = Authority::new();
    let error = error_of(&mut with(&foreign.options("guest@127.0.0.1")), 4);
    assert!(error.contains("cannot be joined"), "{error}");
    let error = error_of(&mut with(&guest[..1]), 2);
    assert!(error.contains("--tls-key"), "{error}");
    ends_cleanly(a, Signal::TERM);
}
