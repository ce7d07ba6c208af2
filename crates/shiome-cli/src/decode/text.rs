//! Output for people: a line for each field, with its place, its own bytes, its name and what it says.

use std::fmt::Write as _;

use super::field::{Explained, Field, Value};

/// Most bytes of a field that are shown in hex beside it.
const BYTES_SHOWN: usize = 8;

/// Most bytes and characters of a value that are shown.
const VALUE_SHOWN: usize = 64;

/// Width of the names, with what they are indented by.
const NAME_WIDTH: usize = 30;

/// A frame or a datagram, on several lines.
pub(super) fn render(explained: &Explained) -> String {
    let Explained {
        format,
        offset,
        len,
        kind,
        ..
    } = explained;
    let mut text = match *format {
        "frame" => format!("{format} at byte {offset}, {len} bytes: {kind}\n"),
        _ => format!("{format} datagram, {len} bytes: {kind}\n"),
    };
    for field in &explained.fields {
        line(explained, field, 0, &mut text);
    }
    for note in &explained.notes {
        let _ = writeln!(text, "  note: {note}");
    }
    if let Some(problem) = &explained.problem {
        let _ = writeln!(
            text,
            "  wrong at byte {}: {}",
            problem.offset, problem.reason
        );
    }
    text
}

fn line(explained: &Explained, field: &Field, depth: usize, text: &mut String) {
    let start = field.offset.saturating_sub(explained.offset);
    let own = explained.bytes.get(start..start + field.own);
    let mut name = "  ".repeat(depth);
    if let Some(number) = field.number {
        let _ = write!(name, "{number} ");
    }
    name.push_str(&field.name);
    let written = format!(
        "  {:6}  {:width$}  {name:NAME_WIDTH$}  {}",
        field.offset,
        hex(own.unwrap_or_default(), BYTES_SHOWN),
        said(field),
        width = BYTES_SHOWN * 3 + 1,
    );
    text.push_str(written.trim_end());
    text.push('\n');
    for part in &field.fields {
        line(explained, part, depth + 1, text);
    }
}

/// What the field says, and what that means.
fn said(field: &Field) -> String {
    let mut words = Vec::new();
    match &field.value {
        Value::None => {}
        Value::Unsigned(number) => words.push(number.to_string()),
        Value::Signed(number) => words.push(number.to_string()),
        Value::Bool(is) => words.push(is.to_string()),
        Value::Text(text) if field.kind == "string" => words.push(quoted(text)),
        Value::Text(text) => words.push(shortened(text)),
        Value::Bytes(bytes) => words.push(match bytes.len() {
            0 => "no bytes".to_owned(),
            // They stand beside it.
            1..=BYTES_SHOWN if field.number.is_none() => format!("{} bytes", bytes.len()),
            len => format!("{len} bytes: {}", hex(bytes, VALUE_SHOWN / 2)),
        }),
    }
    if field.name == "unknown field" {
        words.push(format!("({})", field.kind));
    }
    if let Some(word) = &field.word {
        words.push(match field.value {
            Value::None => word.clone(),
            _ => format!("({word})"),
        });
    }
    let said = words.join(" ");
    match (said.is_empty(), field.meaning) {
        (_, "") => said,
        (true, meaning) => meaning.to_owned(),
        (false, meaning) => format!("{said} · {meaning}"),
    }
}

/// In quotes, and without what a terminal would obey.
fn quoted(text: &str) -> String {
    let mut quoted: String = text.chars().take(VALUE_SHOWN).collect();
    quoted = format!("{quoted:?}");
    if text.chars().nth(VALUE_SHOWN).is_some() {
        quoted.push('…');
    }
    quoted
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(VALUE_SHOWN).collect();
    if text.chars().nth(VALUE_SHOWN).is_some() {
        short.push('…');
    }
    short
}

fn hex(bytes: &[u8], most: usize) -> String {
    let shown = bytes.iter().take(most).map(|byte| format!("{byte:02x}"));
    let mut hex = shown.collect::<Vec<_>>().join(" ");
    if bytes.len() > most {
        hex.push_str(" …");
    }
    hex
}
