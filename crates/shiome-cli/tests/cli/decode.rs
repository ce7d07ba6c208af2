//! `shiome decode`, `shiome completions` and `shiome man`.

use std::{
    fs,
    io::{self, Write as _},
    net::UdpSocket,
    process::Stdio,
    time::Duration,
};

use rustix::process::Signal;

use super::{
    node::{cookie, ends_cleanly, start},
    support::{error_of, output, shiome},
};

/// Ready, twice.
const STREAM: &str = "00000000000000041a024a00 00000000000000041a024a00";

fn stdout_of(args: &[&str], code: i32) -> String {
    let output = output(&mut shiome(args));
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{error}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn hex_comes_as_argument_or_on_standard_input_and_bytes_from_a_file() {
    let told = stdout_of(&["decode", STREAM], 0);
    assert_eq!(told.matches(": ready").count(), 2, "{told}");
    let pieces: Vec<_> = ["decode"].into_iter().chain(STREAM.split(' ')).collect();
    assert_eq!(stdout_of(&pieces, 0), told);

    let mut bytes = tempfile::NamedTempFile::new().unwrap();
    let frame = [0, 0, 0, 0, 0, 0, 0, 4, 0x1a, 2, 0x4a, 0];
    bytes.write_all(&[frame, frame].concat()).unwrap();
    let path = bytes.path().to_str().unwrap();
    assert_eq!(stdout_of(&["decode", "--file", path], 0), told);

    let mut hex = tempfile::tempfile().unwrap();
    hex.write_all(STREAM.as_bytes()).unwrap();
    io::Seek::rewind(&mut hex).unwrap();
    let from_stdin = shiome(&["decode"])
        .stdin(Stdio::from(hex))
        .output()
        .unwrap();
    let from_stdin = String::from_utf8(from_stdin.stdout).unwrap();
    assert_eq!(from_stdin.trim_end(), told.trim_end());
}

#[test]
fn what_is_malformed_is_told_and_ends_with_exit_code_3() {
    let output = output(&mut shiome(&["decode", "000000000000000408ffffff"]));
    assert_eq!(output.status.code(), Some(3));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        told.contains("wrong at byte 8: field `auth` is not of wire type varint"),
        "{told}"
    );
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(error, "error: 1 of 1 malformed");
}

#[test]
fn what_it_is_can_be_told() {
    let told = stdout_of(
        &["decode", "--as", "gossip-compact", "430500e960207609000000"],
        0,
    );
    assert!(
        told.contains("gossip-compact datagram, 11 bytes: nack"),
        "{told}"
    );
    // The same is no frame and nothing in the common form.
    for format in ["frame", "gossip"] {
        let args = ["decode", "--as", format, "430500e960207609000000"];
        assert!(stdout_of(&args, 3).contains("wrong at byte 0"), "{format}");
    }
}

#[test]
fn what_cannot_be_decoded_at_all_is_refused() {
    for (args, error) in [
        (&["decode", "zz"][..], "not hex at character 1"),
        (&["decode", "123"], "the last byte has one hex digit"),
        (&["decode"], "there is nothing to decode"),
        (&["decode", "ff"], "byte 0 is 0xff"),
        (
            &["decode", "00", "--as", "smoke"],
            "frame, gossip, gossip-compact",
        ),
        (&["decode", "00", "--port", "1"], "--port"),
    ] {
        let told = error_of(&mut shiome(args), 2);
        assert!(told.contains(error), "{told}");
    }
    let told = error_of(&mut shiome(&["decode", "--file", "/nowhere/at/all"]), 1);
    assert!(told.contains("cannot read `/nowhere/at/all`"), "{told}");
}

#[test]
fn the_cookie_opens_what_a_node_has_encrypted() {
    let seed = UdpSocket::bind("127.0.0.1:0").unwrap();
    seed.set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let at = seed.local_addr().unwrap().to_string();
    let secret = cookie("the secret of decode");
    let node = start("a@127.0.0.1:0", secret.path(), &["--seed", &at]);
    let mut datagram = [0; 2048];
    let len = seed.recv(&mut datagram).unwrap();
    ends_cleanly(node, Signal::TERM);
    let hex: String = datagram[..len]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();

    let path = secret.path().to_str().unwrap();
    let told = stdout_of(&["decode", "--cookie-file", path, &hex], 0);
    assert!(
        told.contains(&format!("gossip-encrypted datagram, {len} bytes: join")),
        "{told}"
    );
    for field in [
        "sender",
        "127.0.0.1:",
        "capabilities",
        "(COMPACT)",
        "zeros",
        "tag",
    ] {
        assert!(told.contains(field), "{told}");
    }

    let other = cookie("another secret");
    let other = other.path().to_str().unwrap();
    for (args, note) in [
        (&[][..], "with the cookie"),
        (&["--cookie-file", other], "another cookie"),
        (
            &["--cookie-file", path, "--gossip-cluster", "x"],
            "another cookie, cluster",
        ),
    ] {
        let told = stdout_of(&[&["decode", &hex], args].concat(), 0);
        assert!(told.contains(note) && told.contains("ciphertext"), "{told}");
        assert!(!told.contains("COMPACT"), "{told}");
    }
}

#[test]
fn every_shell_gets_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = stdout_of(&["completions", shell], 0);
        assert!(script.contains("liveness"), "{shell}");
    }
}

#[test]
fn there_is_a_manual_page_for_each_command() {
    assert!(stdout_of(&["man"], 0).contains(".TH shiome 1"));
    assert!(stdout_of(&["man", "decode"], 0).contains("\\-\\-file"));
    let error = error_of(&mut shiome(&["man", "demo-node"]), 2);
    assert_eq!(error, "error: there is no command `demo-node`");

    let dir = tempfile::tempdir().unwrap();
    let pages = dir.path().join("pages");
    assert_eq!(stdout_of(&["man", "--dir", pages.to_str().unwrap()], 0), "");
    let mut names: Vec<_> = fs::read_dir(&pages)
        .unwrap()
        .map(|page| page.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    for page in ["shiome.1", "shiome-node.1", "shiome-cert-issue.1"] {
        assert!(names.iter().any(|name| name == page), "{names:?}");
    }
    assert!(
        !names
            .iter()
            .any(|name| name.contains("demo-node") || name.contains("help")),
        "{names:?}"
    );
}
