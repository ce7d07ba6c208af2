//! Where the settings of `shiome node` come from.

use std::{fs, path::Path};

use rustix::process::Signal;
use tempfile::TempDir;

use super::{
    node::{address, ends_cleanly},
    support::{Running, error_of, output, shiome},
};

/// A directory with a configuration of this text, and a cookie.
fn config(text: &str) -> (TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("cookie"), "a secret").unwrap();
    let path = dir.path().join("node.toml");
    fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (dir, path)
}

fn checked(args: &[&str], variables: &[(&str, &str)]) -> toml::Table {
    let mut command = shiome(&[&["node", "--check"], args].concat());
    command.envs(variables.iter().copied());
    let output = output(&mut command);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{error}");
    String::from_utf8(output.stdout).unwrap().parse().unwrap()
}

#[test]
fn a_node_runs_as_its_file_says() {
    let (dir, path) =
        config("name = 'a@127.0.0.1:0'\ncookie-file = 'cookie'\nlisten-at = ['tcp://127.0.0.1:0']");
    let mut command = shiome(&["node", "--config", &path]);
    // Elsewhere: the cookie is where the file is.
    let node = Running::spawn(command.current_dir("/"));
    address(&node, "a@127.0.0.1");
    let line = node.line();
    assert!(
        line.starts_with("listening a@127.0.0.1 at tcp://127.0.0.1:"),
        "{line}"
    );
    ends_cleanly(node, Signal::TERM);

    let node = Running::spawn(shiome(&["node"]).env("SHIOME_CONFIG", &path));
    address(&node, "a@127.0.0.1");
    ends_cleanly(node, Signal::TERM);
    drop(dir);
}

#[test]
fn an_option_counts_more_than_a_variable_and_that_more_than_the_file() {
    let (_dir, path) = config(
        "name = 'file@h:1'\ncookie-file = 'cookie'\nisolated = true\n[sessions]\nliveness = 1\nmax-outbox = 1\n[gossip]\nperiod = 100",
    );
    let variables = [
        ("SHIOME_NAME", "variable@h:1"),
        ("SHIOME_LIVENESS", "2"),
        ("SHIOME_ISOLATED", "false"),
    ];
    let settings = checked(&["option@h:1", "--config", &path], &variables);
    assert_eq!(settings["name"].as_str(), Some("option@h:1"));
    assert_eq!(settings["sessions"]["liveness"].as_integer(), Some(2));
    assert_eq!(settings["sessions"]["max-outbox"].as_integer(), Some(1));
    assert_eq!(settings["gossip"]["period"].as_integer(), Some(100));
    assert_eq!(settings["isolated"].as_bool(), Some(false));
    let file = settings["cookie-file"].as_str().unwrap();
    assert_eq!(Path::new(file), Path::new(&path).with_file_name("cookie"));

    // The secret of the environment comes before a file of the configuration.
    let settings = checked(&["--config", &path], &[("SHIOME_COOKIE", "another")]);
    assert!(settings.get("cookie-file").is_none(), "{settings}");
    assert!(!settings.to_string().contains("another"));
}

#[test]
fn a_wrong_configuration_is_told_with_file_line_key_and_what_is_accepted() {
    for (text, told) in [
        (
            "name = 'a@h:1'\n[sessions]\nliveness = 0",
            ", line 3, key `sessions.liveness`: 0 is not a whole number from 1 to 3600",
        ),
        (
            "name = 'a@h:1'\n\n[gossip]\nseeds = []",
            ", line 4, key `gossip.seeds`: unknown field `seeds`, expected one of `seed`, `on`",
        ),
        (
            "[sessions]\nrequire-native = true\nlegacy-only = true",
            "exclude each other",
        ),
    ] {
        let (_dir, path) = config(text);
        for check in [&[][..], &["--check"]] {
            let args = [&["node", "--config", &path], check].concat();
            let error = error_of(&mut shiome(&args), 2);
            assert!(error.contains(&path) && error.contains(told), "{error}");
        }
    }
    let error = error_of(&mut shiome(&["node", "--config", "/nowhere/at/all"]), 2);
    assert!(
        error.contains("cannot read configuration `/nowhere/at/all`"),
        "{error}"
    );
}

#[test]
fn a_check_finds_what_would_keep_the_node_from_starting() {
    let (dir, _) = config("");
    let cookie = dir.path().join("cookie");
    let cookie = cookie.to_str().unwrap();
    for (args, told) in [
        (&["--cookie-file", cookie][..], "a node needs a name"),
        (&["a@h:1"], "a node needs a cookie"),
        (
            &["a@h:1", "--cookie-file", "/nowhere"],
            "cannot read cookie file",
        ),
        (&["a@0.0.0.0:1", "--cookie-file", cookie], "cannot dial"),
        (
            &["a@h:1", "--cookie-file", cookie, "--tls-cert", "x"],
            "go together",
        ),
        (
            &[
                "a@h:1",
                "--cookie-file",
                cookie,
                "--tls-cert",
                "x",
                "--tls-key",
                "y",
                "--tls-ca",
                "z",
            ],
            "cannot read `x`",
        ),
    ] {
        let error = error_of(&mut shiome(&[&["node", "--check"], args].concat()), 2);
        assert!(error.contains(told), "{error}");
    }
    let mut command = shiome(&["node", "a@h:1"]);
    let error = error_of(command.env("SHIOME_MAX_DIALS", "none"), 2);
    assert!(
        error.contains("SHIOME_MAX_DIALS: `none` is not a whole number from 1"),
        "{error}"
    );
}

#[test]
fn a_check_reads_the_tokens_and_nothing_runs_without_them() {
    let (dir, path) = config(
        "name = 'a@127.0.0.1:0'\ncookie-file = 'cookie'\n[operation]\nadmin = 'off'\ndashboard = '127.0.0.1:0'\n[bus]\nlisten = 'ws://127.0.0.1:0/bus'",
    );
    let short = dir.path().join("short");
    fs::write(&short, "short").unwrap();
    let short = short.to_str().unwrap();
    for option in ["--dashboard-token-file", "--bus-token-file"] {
        for (file, told) in [
            (
                "/nowhere/at/all",
                "cannot read token file `/nowhere/at/all`",
            ),
            (short, "shorter than 16 bytes"),
        ] {
            let args = ["node", "--config", &path, option, file];
            for args in [&args[..], &[&args[..], &["--check"]].concat()] {
                let error = error_of(&mut shiome(args), 2);
                assert!(error.contains(told), "{error}");
                assert!(!error.contains("node listens"), "{error}");
            }
        }
    }
    let admin = ["--admin", "tcp://127.0.0.1:0", "--admin-token-file", short];
    let args = [&["node", "--config", &path, "--check"], &admin[..]].concat();
    let error = error_of(&mut shiome(&args), 2);
    assert!(error.contains("shorter than 16 bytes"), "{error}");
}

#[test]
fn a_token_that_others_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;

    let (dir, path) = config("name = 'a@h:1'\ncookie-file = 'cookie'");
    let token = dir.path().join("token");
    fs::write(&token, "0123456789abcdef").unwrap();
    let args = [
        "node",
        "--config",
        &path,
        "--check",
        "--dashboard=127.0.0.1:0",
        "--dashboard-token-file",
        token.to_str().unwrap(),
    ];
    for (mode, warned) in [(0o644, true), (0o600, false)] {
        fs::set_permissions(&token, fs::Permissions::from_mode(mode)).unwrap();
        let error = String::from_utf8(output(&mut shiome(&args)).stderr).unwrap();
        assert_eq!(
            error.contains("other users can read the token"),
            warned,
            "{error}"
        );
        assert!(!error.contains("0123"), "{error}");
    }
}

#[test]
fn a_variable_that_means_nothing_is_warned_of() {
    let (_dir, path) = config("name = 'a@127.0.0.1:0'\ncookie-file = 'cookie'");
    let mut command = shiome(&["node", "--check", "--config", &path]);
    let output = output(command.env("SHIOME_LIVENES", "3"));
    assert!(output.status.success());
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(
        log.contains("SHIOME_LIVENES") && log.contains("no setting"),
        "{log}"
    );
}
