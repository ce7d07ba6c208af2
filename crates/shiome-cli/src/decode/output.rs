//! Where explanations go, for people or for programs.

use std::io::{self, BufWriter, Stdout, Write};

use serde::Serialize;

use super::{field::Explained, text};

/// Prints explanations, and counts what is wrong.
pub(super) struct Output<W = BufWriter<Stdout>> {
    to: W,
    json: bool,
    /// How many frames and datagrams were explained.
    pub(super) told: u64,
    /// How many of these are malformed.
    pub(super) malformed: u64,
}

/// Between whom something went, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Source {
    pub(super) protocol: &'static str,
    pub(super) from: String,
    pub(super) to: String,
    /// When the packet was captured that ended it, as seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) time: Option<String>,
}

/// One line of output for programs.
#[derive(Serialize)]
#[serde(untagged)]
enum Line<'a> {
    Explained {
        #[serde(skip_serializing_if = "Option::is_none")]
        source: Option<&'a Source>,
        #[serde(flatten)]
        explained: &'a Explained,
    },
    Note {
        #[serde(skip_serializing_if = "Option::is_none")]
        source: Option<&'a Source>,
        note: &'a str,
    },
}

impl Output {
    pub(super) fn stdout(json: bool) -> Self {
        Self::new(BufWriter::new(io::stdout()), json)
    }
}

impl<W: Write> Output<W> {
    pub(super) fn new(to: W, json: bool) -> Self {
        Self {
            to,
            json,
            told: 0,
            malformed: 0,
        }
    }

    pub(super) fn explained(
        &mut self,
        explained: &Explained,
        source: Option<&Source>,
    ) -> io::Result<()> {
        self.told += 1;
        self.malformed += u64::from(explained.problem.is_some());
        if self.json {
            return self.json(&Line::Explained { source, explained });
        }
        if let Some(source) = source {
            writeln!(self.to, "{source}")?;
        }
        writeln!(self.to, "{}", text::render(explained))
    }

    /// Says what there is to say about a capture, and not about one message.
    pub(super) fn note(&mut self, note: &str, source: Option<&Source>) -> io::Result<()> {
        if self.json {
            return self.json(&Line::Note { source, note });
        }
        match source {
            Some(source) => writeln!(self.to, "{source}\n  note: {note}\n"),
            None => writeln!(self.to, "note: {note}\n"),
        }
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }

    #[cfg(test)]
    pub(super) fn into_inner(self) -> W {
        self.to
    }

    fn json(&mut self, line: &Line<'_>) -> io::Result<()> {
        serde_json::to_writer(&mut self.to, line)?;
        writeln!(self.to)
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            protocol,
            from,
            to,
            time,
        } = self;
        write!(f, "{protocol} {from} > {to}")?;
        match time {
            Some(time) => write!(f, " at {time}"),
            None => Ok(()),
        }
    }
}
