//! The checks that were made, in words that do not depend on pids, ports or time.

use std::fmt::Debug;

pub type Checked = Result<(), String>;

pub struct Report {
    scope: String,
    lines: Vec<String>,
    last: String,
    printing: bool,
    count: usize,
}

impl Report {
    pub fn printing() -> Self {
        Self {
            scope: String::new(),
            lines: Vec::new(),
            last: "nothing".into(),
            printing: true,
            count: 0,
        }
    }

    /// Keeps the lines for the process that prints.
    pub fn kept() -> Self {
        Self {
            printing: false,
            ..Self::printing()
        }
    }

    /// What the following checks are about.
    pub fn scope(&mut self, scope: impl Into<String>) {
        self.scope = scope.into();
        self.last = "nothing".into();
    }

    pub fn same<T: Debug + PartialEq>(&mut self, name: &str, actual: T, expected: T) -> Checked {
        if actual != expected {
            return Err(format!("{name}: expected {expected:?}, got {actual:?}"));
        }
        self.last = name.into();
        self.take(format!("{}: {name}: {actual:?}", self.scope));
        Ok(())
    }

    pub fn holds(&mut self, name: &str, holds: bool) -> Checked {
        self.same(name, holds, true)
    }

    /// A line of this or of another report.
    pub fn take(&mut self, line: String) {
        self.count += 1;
        if self.printing {
            println!("{line}");
        } else {
            self.lines.push(line);
        }
    }

    /// Where a failure belongs.
    pub fn place(&self) -> String {
        format!("{}, after {}", self.scope, self.last)
    }

    pub fn count(&self) -> usize {
        self.count
    }

    pub fn into_lines(self) -> Vec<String> {
        self.lines
    }
}
