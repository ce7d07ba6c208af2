//! Lists for people.

use std::{
    io::{self, Write as _},
    time::Duration,
};

use serde::Serialize;

use super::AskFailure;

/// Rows under a head, each column as wide as it has to be.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(head: &[&str]) -> Self {
        let head = head.iter().map(|name| (*name).to_owned()).collect();
        Self { rows: vec![head] }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells = cells.into_iter().map(|cell| clean(&cell));
        self.rows.push(cells.collect());
    }

    /// The lines, without spaces at their ends.
    pub(super) fn lines(&self) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..columns).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths);
            let padded: Vec<_> = cells
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            padded.join("  ").trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }

    pub(super) fn print(&self) -> Result<(), AskFailure> {
        print(&self.lines().join("\n"))
    }
}

/// Prints a text and a line end.
pub(super) fn print(text: &str) -> Result<(), AskFailure> {
    let mut out = io::stdout().lock();
    let printed = writeln!(out, "{text}").and_then(|()| out.flush());
    printed.map_err(AskFailure::Print)
}

/// Prints a value as JSON on one line.
pub(super) fn print_json(value: &impl Serialize) -> Result<(), AskFailure> {
    let text = serde_json::to_string(value).map_err(|error| AskFailure::Print(error.into()))?;
    print(&text)
}

/// A text of somebody else's without what a terminal would act on.
pub(crate) fn clean(text: &str) -> String {
    let harmless = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(harmless).collect()
}

/// A text, or a dash.
pub(super) fn or_dash(text: Option<impl ToString>) -> String {
    text.map_or_else(|| "-".to_owned(), |text| text.to_string())
}

/// Bytes, to three digits.
pub(super) fn bytes(count: u64) -> String {
    scaled(count as f64, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB"])
}

/// A number, to three digits.
pub(super) fn number(count: f64) -> String {
    scaled(count, 1000.0, &["", "k", "M", "G", "T"])
}

fn scaled(mut value: f64, step: f64, units: &[&str]) -> String {
    let mut units = units.iter();
    let mut unit = units.next().copied().unwrap_or_default();
    // What would be rounded to the step is written in the next unit.
    for next in units {
        if value < step - 0.5 {
            break;
        }
        value /= step;
        unit = next;
    }
    let space = if unit.len() > 1 || unit == "B" {
        " "
    } else {
        ""
    };
    let tenths = (value * 10.0).round();
    if tenths < 100.0 && tenths % 10.0 != 0.0 {
        format!("{value:.1}{space}{unit}")
    } else {
        format!("{value:.0}{space}{unit}")
    }
}

/// Microseconds, to two or three digits.
pub(super) fn micros(us: u64) -> String {
    let time = Duration::from_micros(us);
    match us {
        0..1_000 => format!("{us} us"),
        1_000..10_000 => format!("{:.1} ms", us as f64 / 1e3),
        10_000..1_000_000 => format!("{} ms", time.as_millis()),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

/// Milliseconds, as people tell ages.
pub(super) fn age(ms: u64) -> String {
    let secs = ms / 1000;
    match secs {
        0..60 => format!("{secs}s"),
        60..3600 => format!("{}m{:02}s", secs / 60, secs % 60),
        3600..86_400 => format!("{}h{:02}m", secs / 3600, secs / 60 % 60),
        _ => format!("{}d{:02}h", secs / 86_400, secs / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_nothing_trails() {
        let mut table = Table::new(&["A", "LONG", "C"]);
        table.row(["1".into(), "2".into(), String::new()]);
        table.row(["three".into(), "ä".into(), "x".into()]);
        assert_eq!(
            table.lines(),
            ["A      LONG  C", "1      2", "three  ä     x"]
        );
    }

    #[test]
    fn what_a_peer_calls_itself_does_nothing_to_the_terminal() {
        assert_eq!(
            clean("a\x1b[2Jb\u{9b}c\n"),
            "a\u{fffd}[2Jb\u{fffd}c\u{fffd}"
        );
    }

    #[test]
    fn quantities_have_few_digits() {
        for (count, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (1536, "1.5 KiB"),
            (200 * 1024, "200 KiB"),
            (1024 * 1024 - 1, "1 MiB"),
        ] {
            assert_eq!(bytes(count), text);
        }
        for (count, text) in [(0.0, "0"), (999.0, "999"), (1500.0, "1.5k"), (2e6, "2M")] {
            assert_eq!(number(count), text);
        }
        for (us, text) in [
            (7, "7 us"),
            (1_234, "1.2 ms"),
            (45_000, "45 ms"),
            (1_500_000, "1.5 s"),
        ] {
            assert_eq!(micros(us), text);
        }
        for (ms, text) in [
            (999, "0s"),
            (61_000, "1m01s"),
            (3_660_000, "1h01m"),
            (90_000_000, "1d01h"),
        ] {
            assert_eq!(age(ms), text);
        }
    }
}
