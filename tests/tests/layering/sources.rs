//! What the sources of a crate name.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Ways to a clock, a socket or a thread. Addresses come from `core::net`.
const FORBIDDEN: [&str; 6] = [
    "Instant::now",
    "SystemTime",
    ".elapsed()",
    "std::net",
    "std::thread",
    "thread::spawn",
];

/// The source files in `dir`, but for modules of tests.
pub(crate) fn read(dir: &Path) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.file_stem().is_some_and(|stem| stem == "tests") {
            continue;
        }
        if path.is_dir() {
            files.extend(read(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            files.push((path, text));
        }
    }
    files
}

/// The lines of `source` that name something forbidden, without comments and what is compiled for tests only.
pub(crate) fn forbidden(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            skip_item(&mut lines);
            continue;
        }
        let code = line.split("//").next().unwrap_or(line);
        if FORBIDDEN.iter().any(|forbidden| code.contains(forbidden)) {
            found.push(line.to_owned());
        }
    }
    found
}

/// Skips an item in the layout that rustfmt gives it: it ends with its first line, or with the brace at the same depth.
fn skip_item<'a>(lines: &mut impl Iterator<Item = &'a str>) {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut first = None;
    for line in lines {
        let closes = line.trim_start().starts_with('}');
        match first {
            None if line.trim_start().starts_with('#') => {}
            None if line.ends_with(['}', ';']) => return,
            None => first = Some(indent(line)),
            Some(depth) if closes && indent(line) == depth => return,
            Some(_) => {}
        }
    }
}

#[test]
fn forbidden_names_are_found_outside_of_tests_and_comments() {
    let source = "\
// Instant::now is the caller's.
fn f() {
    let now = Instant::now(); // a clock
}

#[cfg(test)]
#[path = \"x.rs\"]
mod tests;

#[cfg(test)]
use std::thread;

#[cfg(test)]
impl X {
    fn now() -> Instant {
        Instant::now()
    }
}

fn g() {
    std::thread::yield_now();
}

#[cfg(test)]
mod tests {
    fn f() {
        Instant::now();
    }
}
";
    let found = forbidden(source);
    assert_eq!(
        found,
        [
            "    let now = Instant::now(); // a clock",
            "    std::thread::yield_now();"
        ]
    );
}
