//! The words of a command line, taken from left to right.

use std::str::{FromStr, SplitWhitespace};
use std::time::Duration;

pub struct Words<'a>(SplitWhitespace<'a>);

impl<'a> Words<'a> {
    pub fn new(line: &'a str) -> Self {
        Self(line.split_whitespace())
    }

    pub fn text(&mut self, what: &str) -> Result<&'a str, String> {
        self.0.next().ok_or_else(|| format!("missing {what}"))
    }

    pub fn number<T: FromStr>(&mut self, what: &str) -> Result<T, String> {
        let word = self.text(what)?;
        word.parse()
            .map_err(|_| format!("{what} is not a number: {word}"))
    }

    pub fn millis(&mut self) -> Result<Duration, String> {
        self.number("milliseconds").map(Duration::from_millis)
    }

    /// Milliseconds, or `-` for none.
    pub fn timeout(&mut self) -> Result<Option<Duration>, String> {
        match self.text("timeout")? {
            "-" => Ok(None),
            word => word
                .parse()
                .map(|ms| Some(Duration::from_millis(ms)))
                .map_err(|_| format!("timeout is not a number: {word}")),
        }
    }

    /// A name, or `-` for none.
    pub fn name(&mut self) -> Result<Option<String>, String> {
        let word = self.text("name")?;
        Ok((word != "-").then(|| word.to_owned()))
    }

    pub fn end(mut self) -> Result<(), String> {
        self.0
            .next()
            .map_or(Ok(()), |word| Err(format!("unexpected {word}")))
    }
}
