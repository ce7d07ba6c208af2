//! Settings of a TOML file.

use std::{fs::File, io::Read as _, ops::Range, path::Path};

use toml::de::{DeTable, DeValue};

use super::{ConfigError, settings::Settings};

/// Longest configuration file, in bytes. What is longer is the wrong file.
const MAX_CONFIG_LEN: u64 = 1024 * 1024;

/// Reads a file. Relative paths in it start where it is.
pub(super) fn read(path: &Path) -> Result<Settings, ConfigError> {
    let failed = |source| ConfigError::Read {
        path: path.to_owned(),
        source,
    };
    let mut text = String::new();
    let file = File::open(path).map_err(failed)?;
    let len = file.take(MAX_CONFIG_LEN + 1).read_to_string(&mut text);
    if len.map_err(failed)? as u64 > MAX_CONFIG_LEN {
        return Err(ConfigError::TooLong(path.to_owned()));
    }
    let settings = parse(&text).map_err(|(place, reason)| ConfigError::File {
        path: path.to_owned(),
        place,
        reason,
    })?;
    let together = settings.check();
    together.map_err(|misfit| ConfigError::File {
        path: path.to_owned(),
        place: place_of(&text, misfit.keys),
        reason: misfit.to_string(),
    })?;
    let dir = path.parent().unwrap_or_else(|| Path::new(""));
    Ok(settings.starting_at(dir))
}

/// The settings of a text, or where it is wrong, and why.
fn parse(text: &str) -> Result<Settings, (String, String)> {
    toml::from_str(text).map_err(|error| {
        let place = error.span().map(|span| place(text, &span));
        // It can be of several lines.
        let reason = error.message().split_whitespace().collect::<Vec<_>>();
        (place.unwrap_or_default(), reason.join(" "))
    })
}

/// A place in words: line, and key if it is at one.
fn place(text: &str, span: &Range<usize>) -> String {
    let before = text.get(..span.start).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    // What is no TOML has no keys.
    let key = DeTable::parse(text)
        .ok()
        .and_then(|table| key(table.get_ref(), span, ""));
    match key {
        Some(key) => format!(", line {line}, key `{key}`"),
        None => format!(", line {line}"),
    }
}

/// The place of the first of these keys that is there.
fn place_of(text: &str, keys: &[&str]) -> String {
    let Ok(table) = DeTable::parse(text) else {
        return String::new();
    };
    let spans = keys.iter().find_map(|path| span_of(table.get_ref(), path));
    spans.map_or_else(String::new, |span| place(text, &span))
}

fn span_of(table: &DeTable<'_>, path: &str) -> Option<Range<usize>> {
    let (name, rest) = path.split_once('.').unwrap_or((path, ""));
    let mut entries = table.iter();
    let (key, value) = entries.find(|(key, _)| key.get_ref() == name)?;
    match (rest, value.get_ref()) {
        ("", _) => Some(key.span()),
        (rest, DeValue::Table(inner)) => span_of(inner, rest),
        _ => None,
    }
}

/// The innermost key that stands there, or whose value does.
fn key(table: &DeTable<'_>, span: &Range<usize>, path: &str) -> Option<String> {
    let holds = |outer: Range<usize>| outer.start <= span.start && span.end <= outer.end;
    table.iter().find_map(|(name, value)| {
        let path = match path {
            "" => name.get_ref().to_string(),
            path => format!("{path}.{}", name.get_ref()),
        };
        let inner = match value.get_ref() {
            DeValue::Table(inner) => key(inner, span, &path),
            _ => None,
        };
        let is_here = holds(name.span()) || holds(value.span());
        inner.or_else(|| is_here.then_some(path))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> (String, String) {
        parse(text).unwrap_err()
    }

    #[test]
    fn all_settings_can_be_given() {
        let text = include_str!("file/all.toml");
        let settings = parse(text).unwrap();
        // What is printed is what was read.
        let printed = toml::to_string(&settings).unwrap();
        assert_eq!(parse(&printed).unwrap(), settings);
        let keys = |text: &str| {
            let mut keys: Vec<_> = text
                .lines()
                .filter_map(|line| Some(line.split_once(" = ")?.0.to_owned()))
                .collect();
            keys.sort();
            keys
        };
        assert_eq!(keys(&printed), keys(text));
        assert_eq!(settings.check(), Ok(()));
    }

    #[test]
    fn what_does_not_go_together_is_told_with_line_and_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.toml");
        for (text, told) in [
            (
                "name = 'a@h:1'\n[operation]\nhttp = '[::]:1'\nadmin = 'tcp://127.0.0.1:0'",
                ", line 4, key `operation.admin`: `admin` over TCP needs `admin-token-file`",
            ),
            (
                "[tls]\nkey = 'k'",
                ", line 2, key `tls.key`: `tls-cert`, `tls-key` and `tls-ca` go together",
            ),
            (
                "tls.watch = 3",
                ", line 1, key `tls.watch`: `tls-watch` says",
            ),
            (
                "\nconnect = ['tls://h:1']",
                ", line 2, key `connect`: `tls://h:1`: without TLS",
            ),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = read(&path).unwrap_err().to_string();
            let begin = format!("configuration `{}`{told}", path.display());
            assert!(error.starts_with(&begin), "{error}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_line_key_and_what_is_accepted() {
        for (text, place, reason) in [
            (
                "nmae = 'a@h:1'",
                ", line 1, key `nmae`",
                "unknown field `nmae`, expected one of `name`, `listen`",
            ),
            (
                "\n[gossip]\n\nperiod = 5",
                ", line 4, key `gossip.period`",
                "5 is not a whole number from 20 to 60000",
            ),
            (
                "[gossip]\nperiod = 'x'",
                ", line 2, key `gossip.period`",
                "invalid type: string \"x\", expected a whole number from 20 to 60000",
            ),
            (
                "isolated = 1",
                ", line 1, key `isolated`",
                "invalid type: integer `1`, expected a boolean",
            ),
            (
                "name = 'a'",
                ", line 1, key `name`",
                "`a` is not of the form name@host:port",
            ),
            (
                "connect = [\n'h:1',\n'h:0']",
                ", line 1, key `connect`",
                "`h:0` is not of the form HOST:PORT",
            ),
            (
                "[tls]\ncert = 'x'\nkye = 'y'",
                ", line 3, key `tls.kye`",
                "expected one of `cert`, `key`, `ca`, `watch`",
            ),
            ("[gosip]", ", line 1, key `gosip`", "expected one of"),
            (
                "listen = 'here'",
                ", line 1, key `listen`",
                "`here` is not of the form IP, such as 10.0.0.1",
            ),
            (
                "[operation]\nhttp = 'here'",
                ", line 2, key `operation.http`",
                "`here` is not of the form IP:PORT, such as 127.0.0.1:9464",
            ),
            (
                "[bus]\norigin = ['https://example.org/']",
                ", line 2, key `bus.origin`",
                "`https://example.org/` is not of the form https://HOST or",
            ),
            (
                "name = 'a@h:1'\nname = 'b@h:1'",
                ", line 2",
                "duplicate key",
            ),
            ("\nname = ", ", line 2", ""),
        ] {
            let (told_place, told) = wrong(text);
            assert_eq!(told_place, place, "{text}: {told}");
            assert!(told.contains(reason), "{text}: {told}");
        }
    }
}
