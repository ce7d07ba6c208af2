use std::path::Path;

use super::*;

fn of(toml: &str) -> Settings {
    toml::from_str(toml).unwrap()
}

#[test]
fn what_is_set_is_laid_over_what_comes_after() {
    let above = of("connect = ['h:1']\nisolated = false\n[sessions]\nliveness = 7");
    let below = of(
        "name = 'a@h:1'\nconnect = ['h:2', 'h:3']\nisolated = true\n[sessions]\nliveness = 8\nmax-outbox = 2",
    );
    let both = above.over(below);
    let expected = of(
        "name = 'a@h:1'\nconnect = ['h:1']\nisolated = false\n[sessions]\nliveness = 7\nmax-outbox = 2",
    );
    assert_eq!(both, expected);
}

#[test]
fn relative_paths_start_at_the_file() {
    let settings = of("cookie-file = 'c'\n[tls]\ncert = '/abs'\n[gossip]\nstate = 's'");
    let settings = settings.starting_at(Path::new("/etc/x"));
    assert_eq!(settings.cookie_file.as_deref(), Some(Path::new("/etc/x/c")));
    assert_eq!(
        settings.gossip.state.as_deref(),
        Some(Path::new("/etc/x/s"))
    );
    assert_eq!(settings.tls.cert.as_deref(), Some(Path::new("/abs")));
}

#[test]
fn settings_that_do_not_go_together_are_told() {
    let tls = "[tls]\ncert = 'c'\nkey = 'k'\nca = 'a'";
    for (text, told) in [
        (
            "[sessions]\nrequire-native = true\nlegacy-only = true",
            "exclude each other",
        ),
        ("name = 'a@0.0.0.0:1'", "cannot dial"),
        ("name = 'a@[::]:1'", "cannot dial"),
        (
            "name = 'a@h:1'\n[gossip]\non = true\noffset = -1",
            "do not make a port for gossip",
        ),
        ("[tls]\ncert = 'c'", "go together"),
        ("[tls]\nwatch = 3", "which is not given"),
        (
            &format!("listen-at = ['tcp://h:1']\n{tls}"),
            "with TLS, links are tls://, wss:// and unix:",
        ),
        (&format!("connect = ['WS://h:1']\n{tls}"), "with TLS"),
        (
            "connect = ['tls://h:1']",
            "without TLS, links are tcp://, ws:// and unix:",
        ),
        ("advertise = 'wss://h:1'", "without TLS"),
    ] {
        let error = of(text).check().unwrap_err().to_string();
        assert!(error.contains(told), "{text}: {error}");
    }
    for right in [
        "connect = ['h:1', 'tcp://h:1', 'unix:/x']",
        &format!("listen-at = ['h:1', 'tls://h:1', 'wss://h:1', 'unix:/x']\n{tls}"),
        "[sessions]\nrequire-native = true\nlegacy-only = false",
    ] {
        assert_eq!(of(right).check(), Ok(()), "{right}");
    }
    let many = vec!["'h:1'"; 17].join(", ");
    let error = of(&format!("listen-at = [{many}]")).check().unwrap_err();
    assert!(error.to_string().contains("more than 16"), "{error}");
}
