//! A user of this machine, and the nodes that run for it.

use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::{
    node::{address, cookie, lines_with},
    support::{Running, error_of, output, shiome},
};

/// A user with a directory for sockets, and a cookie.
pub(super) struct User {
    pub(super) runtime: TempDir,
    pub(super) cookie: tempfile::NamedTempFile,
}

impl User {
    pub(super) fn new() -> Self {
        Self {
            runtime: tempfile::tempdir().unwrap(),
            cookie: cookie("a secret"),
        }
    }

    pub(super) fn command(&self, args: &[&str]) -> Command {
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
    pub(super) fn told(&self, args: &[&str]) -> String {
        let output = output(&mut self.command(args));
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{args:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub(super) fn json(&self, args: &[&str]) -> Value {
        let told = self.told(&[args, &["--json"]].concat());
        serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {told}"))
    }

    pub(super) fn error(&self, args: &[&str], code: i32) -> String {
        error_of(&mut self.command(args), code)
    }

    /// Two nodes with a session.
    pub(super) fn pair(&self) -> (Running, Running, String) {
        let a = self.start("a@127.0.0.1:0", &[]);
        let at = address(&a, "a@127.0.0.1");
        let b = self.start("b@127.0.0.1:0", &["--connect", &at]);
        address(&b, "b@127.0.0.1");
        lines_with(&b, &["ready a@127.0.0.1"]);
        lines_with(&a, &["ready b@127.0.0.1"]);
        (a, b, at)
    }
}
