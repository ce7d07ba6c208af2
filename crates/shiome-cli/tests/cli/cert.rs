//! `shiome cert` and `shiome cookie`.

use std::fs;

use super::support::{error_of, output, shiome};

/// The lines that a command prints that succeeds without a word on standard error.
fn printed(args: &[&str]) -> Vec<String> {
    let output = output(&mut shiome(args));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && error.is_empty(), "{error}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn cert_prints_the_files_that_it_made() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().to_str().unwrap();
    let mut made = printed(&["cert", "init", "--dir", dir]);
    made.extend(printed(&["cert", "issue", "a@localhost", "--ca", dir]));
    let expected = ["ca.pem", "ca.key", "a@localhost.pem", "a@localhost.key"];
    assert_eq!(made, expected.map(|name| format!("{dir}/{name}")));
    for (path, begins) in made
        .iter()
        .zip(["CERTIFICATE", "PRIVATE KEY"].iter().cycle())
    {
        let text = fs::read_to_string(path).unwrap();
        assert!(
            text.starts_with(&format!("-----BEGIN {begins}-----")),
            "{path}"
        );
    }

    let error = error_of(&mut shiome(&["cert", "init", "--dir", dir]), 2);
    assert_eq!(error, format!("error: `{dir}/ca.pem` is there already"));
    let error = error_of(&mut shiome(&["cert", "issue", "a", "--ca", dir]), 2);
    assert!(error.contains("not of the form NAME@HOST"), "{error}");
    let nowhere = format!("{dir}/nowhere");
    let error = error_of(&mut shiome(&["cert", "issue", "a@h", "--ca", &nowhere]), 1);
    assert!(error.contains("cannot read"), "{error}");
}

#[test]
fn cookie_prints_a_fresh_secret_or_puts_it_into_a_file() {
    let (one, other) = (printed(&["cookie", "new"]), printed(&["cookie", "new"]));
    assert_eq!((one.len(), one[0].len()), (1, 64));
    assert_ne!(one, other);

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("cookie");
    let file = file.to_str().unwrap();
    assert!(printed(&["cookie", "new", file]).is_empty());
    assert_eq!(fs::read_to_string(file).unwrap().trim_end().len(), 64);
    let error = error_of(&mut shiome(&["cookie", "new", file]), 2);
    assert!(error.contains("is there already"), "{error}");
}
