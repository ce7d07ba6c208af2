//! Vectors: bytes recorded at the published implementations, and the checks that ours agree with them.
//!
//! A vector file is a JSON list of entries of one format. The format is recognised by the keys of the entries, never
//! by the file's name, so the same checks serve files from anywhere. What is not recognised fails: a check that
//! silently passes over a file is worse than none.

mod bus;
mod convertable;
mod digest;
mod gossip;
mod native;
mod projection;
mod schema;
mod wire;

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

pub use native::record as record_native;

/// What the check of one vector file found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct FileReport {
    /// Path of the file below the directory that was checked.
    pub file: String,
    /// Name of the format; `None` when the file is of none that is known.
    pub format: Option<&'static str>,
    /// Entries in the file.
    pub entries: usize,
    /// Entries with nothing wrong.
    pub passed: usize,
    /// Everything that is wrong; empty when the file passes.
    pub failures: Vec<Failure>,
    /// What a reader should know about a file that passes, such as which part of it cannot be checked.
    pub notes: Vec<String>,
}

/// One thing wrong with a vector file.
#[derive(Debug, Clone, Serialize)]
pub struct Failure {
    /// Name of the entry, or what stands for it when the whole file is wrong.
    pub entry: String,
    /// What is wrong.
    pub problem: String,
}

/// Checks every file in `dir` and the directories below it, in the order of their paths.
///
/// # Errors
///
/// When a directory cannot be read. A file that cannot be read is a [`Failure`].
pub fn check_dir(dir: &Path) -> io::Result<Vec<FileReport>> {
    let mut files = Vec::new();
    collect_files(dir, &mut files)?;
    files.sort();
    Ok(files
        .iter()
        .map(|path| {
            let name = path.strip_prefix(dir).unwrap_or(path);
            check_file(&name.display().to_string(), fs::read(path))
        })
        .collect())
}

fn collect_files(dir: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            collect_files(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// Checks one file by its content.
fn check_file(name: &str, content: io::Result<Vec<u8>>) -> FileReport {
    let mut report = FileReport {
        file: name.to_owned(),
        ..FileReport::default()
    };
    let entries = match content.map_err(|e| e.to_string()).and_then(|c| parse(&c)) {
        Ok(entries) => entries,
        Err(problem) => {
            report.fail("(file)", problem);
            return report;
        }
    };
    report.entries = entries.len();
    let Some(format) = FORMATS.iter().find(|format| format.recognises(&entries[0])) else {
        report.fail(
            "(file)",
            "not a vector format that is known here".to_owned(),
        );
        return report;
    };
    report.format = Some(format.name);
    format.note_unknown_keys(&entries, &mut report);
    (format.check)(&entries, &mut report);
    report
}

/// The entries of a vector file, at least one.
fn parse(content: &[u8]) -> Result<Vec<Value>, String> {
    let entries: Vec<Value> =
        serde_json::from_slice(content).map_err(|e| format!("not a JSON list: {e}"))?;
    if entries.is_empty() {
        return Err("no entries".to_owned());
    }
    Ok(entries)
}

/// One kind of vector file.
struct Format {
    name: &'static str,
    /// Keys that every entry has; no two formats have the same.
    required: &'static [&'static str],
    /// Further keys that are understood.
    optional: &'static [&'static str],
    check: fn(&[Value], &mut FileReport),
}

const FORMATS: &[Format] = &[
    wire::FORMAT,
    gossip::FORMAT,
    digest::FORMAT,
    convertable::FORMAT,
    native::FORMAT,
    bus::FORMAT,
];

impl Format {
    fn recognises(&self, entry: &Value) -> bool {
        self.required.iter().all(|key| entry.get(key).is_some())
    }

    fn note_unknown_keys(&self, entries: &[Value], report: &mut FileReport) {
        let keys: BTreeSet<_> = entries
            .iter()
            .filter_map(Value::as_object)
            .flat_map(|entry| entry.keys())
            .map(String::as_str)
            .filter(|key| !self.required.contains(key) && !self.optional.contains(key))
            .collect();
        if !keys.is_empty() {
            let keys = Vec::from_iter(keys).join(", ");
            report.notes.push(format!("keys not checked: {keys}"));
        }
    }
}

impl FileReport {
    /// Whether all of the file was checked and found right.
    pub fn holds(&self) -> bool {
        self.failures.is_empty()
    }

    fn fail(&mut self, entry: impl Into<String>, problem: String) {
        self.failures.push(Failure {
            entry: entry.into(),
            problem,
        });
    }

    /// Runs `check` on every entry read as a `T`; an entry of another shape fails.
    fn each<T: DeserializeOwned>(
        &mut self,
        entries: &[Value],
        label: impl Fn(&T) -> String,
        mut check: impl FnMut(&T) -> Result<(), String>,
    ) {
        for (index, value) in entries.iter().enumerate() {
            match T::deserialize(value) {
                Ok(entry) => match check(&entry) {
                    Ok(()) => self.passed += 1,
                    Err(problem) => self.fail(label(&entry), problem),
                },
                Err(e) => self.fail(format!("entry {index}"), format!("malformed: {e}")),
            }
        }
    }
}

/// Bytes written in hex; `what` names them in the error.
fn unhex(what: &str, text: &str) -> Result<Vec<u8>, String> {
    hex::decode(text).map_err(|e| format!("{what}: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &str) -> FileReport {
        check_file("file", Ok(content.as_bytes().to_vec()))
    }

    fn only_problem(content: &str) -> String {
        let report = check(content);
        assert_eq!(report.failures.len(), 1, "{report:?}");
        assert_eq!(report.passed + 1, report.entries.max(1));
        report.failures[0].problem.clone()
    }

    #[test]
    fn what_is_not_recognised_fails() {
        for content in ["", "{", "{}", "[]", "7", "[1]", "[{}]", r#"[{"a": 1}]"#] {
            only_problem(content);
        }
        let unreadable = check_file("file", Err(io::ErrorKind::PermissionDenied.into()));
        assert!(!unreadable.holds());
    }

    #[test]
    fn a_malformed_entry_fails_and_the_others_are_still_checked() {
        let report = check(
            r#"[{"type": "u8", "value": "1", "hex": "01"}, {"type": "u8", "hex": 7, "value": "1"},
                {"nothing": 1}, {"type": "u8", "value": "2", "hex": "02"}]"#,
        );
        assert_eq!(
            (report.entries, report.passed, report.failures.len()),
            (4, 2, 2)
        );
    }

    #[test]
    fn keys_without_a_check_are_told() {
        let report = check(r#"[{"type": "u8", "value": "1", "hex": "01", "colour": "red"}]"#);
        assert!(report.holds());
        assert_eq!(report.notes, ["keys not checked: colour"]);
    }

    #[test]
    fn a_wrong_digest_fails() {
        let md5 = "bc4b5e3f17073012aea742a22f5e1b6a";
        let sha = "143e00d9d3b31d9d24452f85ac04448953081a02ed02272e592c5b13cd422ef7";
        let entry = |sha: &str, md5: &str| {
            format!(
                r#"[{{"cookie": "cookie", "challenge": 42, "sha256": "{sha}", "md5": "{md5}"}}]"#
            )
        };
        assert!(check(&entry(sha, md5)).holds());
        assert!(only_problem(&entry(sha, &md5.replace('b', "c"))).starts_with("md5"));
        assert!(only_problem(&entry(&sha.replace('1', "2"), md5)).starts_with("sha256"));
        assert!(only_problem(&entry("", md5)).starts_with("sha256"));
    }

    #[test]
    fn a_changed_recording_of_a_handshake_fails() {
        let recorded = record_native();
        let report = check(&recorded);
        assert!(report.holds(), "{report:?}");
        assert_eq!(report.format, Some("native handshake"));
        let recorded: Vec<Value> = serde_json::from_str(&recorded).unwrap();
        let changes: [fn(&mut Value); 6] = [
            |entry| entry["cookie"] = "another".into(),
            |entry| entry["channel_binding"] = "00".repeat(32).into(),
            |entry| entry["client"]["announce"]["window"] = (1 << 30).into(),
            |entry| entry["server"]["announce"] = Value::Null,
            |entry| entry["agreed"]["capabilities"] = 63.into(),
            |entry| drop(entry["frames"].as_array_mut().unwrap().pop()),
        ];
        for change in changes {
            let mut entry = recorded[0].clone();
            change(&mut entry);
            only_problem(&Value::from(vec![entry]).to_string());
        }
    }

    #[test]
    fn a_wrong_value_fails() {
        let entry = |kind: &str, value: &str, hex: &str| {
            format!(r#"[{{"type": "{kind}", "value": {value}, "hex": "{hex}"}}]"#)
        };
        assert!(check(&entry("Vec<i16>", r#"["-2"]"#, "fffe")).holds());
        for (kind, value, hex) in [
            ("Vec<i16>", r#"["-2"]"#, "feff"),
            ("Vec<i16>", r#"["-2"]"#, "fffe00"),
            ("u32", r#""7""#, "07"),
            ("u32", r#""-7""#, "00000007"),
            ("f32", r#""0""#, "80000000"),
            ("bool", "true", "00"),
            ("()", "null", "00"),
            ("char", r#""ab""#, "00000061"),
            ("Option<u8>", r#""1""#, "01"),
        ] {
            only_problem(&entry(kind, value, hex));
        }
    }

    /// A cast of `Add(7u32)` to process 3 with everything that is told about it.
    fn cast(frame: &str, to: u64, argument: &str) -> String {
        format!(
            r#"[{{"name": "cast", "direction": "to_node", "frame_hex": "{frame}", "decoded": {{"node": {{"cast":
                {{"to": {to}, "what": "000000000000000400000007", "variant": "Add", "metadata": null}}}}}},
                "args": [{{"type": "u32", "value": "{argument}"}}]}}]"#
        )
    }

    const CAST: &str = "000000000000001912170a150803120c0000000000000004000000071a03416464";

    #[test]
    fn a_wrong_frame_field_or_argument_fails() {
        assert!(check(&cast(CAST, 3, "7")).holds());
        assert!(only_problem(&cast(CAST, 4, "7")).contains("node.cast.to"));
        assert!(only_problem(&cast(CAST, 3, "8")).contains("argument 0"));
        let longer = CAST.replace("0000000000000019", "000000000000001a");
        only_problem(&cast(&longer, 3, "7"));
    }

    #[test]
    fn only_what_a_canonical_encoder_leaves_out_may_be_missing_from_the_encoding() {
        let with_unknown = CAST
            .replace("000000000000001912170a15", "000000000000001c121a0a18")
            .replace("1a03416464", "1a03416464a00607");
        let report = check(&cast(&with_unknown, 3, "7"));
        assert!(report.holds(), "{report:?}");
        assert!(report.notes[0].starts_with("1 with fields"), "{report:?}");

        // The same field twice: decodes alike, but no encoder that leaves fields out makes one of them.
        let twice = CAST
            .replace("000000000000001912170a15", "000000000000001b12190a17")
            .replace("0803120c", "08030803120c");
        assert!(only_problem(&cast(&twice, 3, "7")).starts_with("encodes to"));
    }

    /// A Join in an entry of its own.
    fn join(hex: &str, kind: &str, sender: &str, addr: &str, more: &str) -> String {
        format!(
            r#"[{{"name": "join", "kind": "{kind}", "hex": "{hex}",
                "fields": {{"sender": "{sender}", "sender_addr": "{addr}"{more}}}}}]"#
        )
    }

    #[test]
    fn a_wrong_datagram_field_or_tag_fails() {
        const SENDER: &str = "000102030405060708090a0b0c0d0e0f";
        const ADDR: &str = "127.0.0.1:6379";
        let hex = format!("04{SENDER}047f000001eb18");
        assert!(check(&join(&hex, "join", SENDER, ADDR, "")).holds());
        let other = SENDER.replace("0f", "0e");
        for (hex, kind, sender, addr, more) in [
            (&hex, "welcome", SENDER, ADDR, ""),
            (&hex, "join", &other, ADDR, ""),
            (&hex, "join", SENDER, "127.0.0.1:6380", ""),
            (&hex, "join", SENDER, ADDR, r#", "seq": "1""#),
            (&hex, "join", SENDER, ADDR, r#", "hmac_password": "x""#),
            (&format!("{hex}00"), "join", SENDER, ADDR, ""),
            (&hex[..46].to_owned(), "join", SENDER, ADDR, ""),
        ] {
            only_problem(&join(hex, kind, sender, addr, more));
        }

        // HMAC-SHA256 by another implementation.
        let password = r#", "hmac_password": "secret""#;
        let tag = "abb8d6cc13bc800535835c7f03aa72c165bb3d1051d484034d971572d44ded8c";
        let signed = format!("{hex}{tag}");
        assert!(check(&join(&signed, "join", SENDER, ADDR, password)).holds());
        only_problem(&join(&signed, "join", SENDER, ADDR, ""));
        let wrong = password.replace("secret", "Secret");
        only_problem(&join(&signed, "join", SENDER, ADDR, &wrong));
    }

    #[test]
    fn a_frame_recorded_as_undecodable_must_be_refused() {
        let entry = |frame: &str| {
            format!(
                r#"[{{"name": "x", "direction": "to_node", "frame_hex": "{frame}", "decoded": null}}]"#
            )
        };
        assert!(check(&entry("0000000000000004ffffffff")).holds());
        assert!(check(&entry("0000010000000000")).holds());
        assert!(check(&entry("00000000000000041a02")).holds());
        only_problem(&entry("00000000000000041a024a00"));
    }
}
