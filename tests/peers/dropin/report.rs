//! The checks that were made, in words that do not depend on pids, ports or time.

use std::fmt::Debug;

pub type Checked = Result<(), String>;

pub struct Report {
    scope: String,
    lines: Vec<String>,
    printing: bool,
    count: usize,
}

impl Report {
    pub fn printing() -> Self {
        Self {
            scope: String::new(),
            lines: Vec::new(),
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
    }

    pub fn same<T: Debug + PartialEq>(&mut self, name: &str, actual: T, expected: T) -> Checked {
        if actual != expected {
            let scope = &self.scope;
            return Err(format!(
                "{scope}: {name}: expected {expected:?}, got {actual:?}"
            ));
        }
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

    pub fn count(&self) -> usize {
        self.count
    }

    pub fn into_lines(self) -> Vec<String> {
        self.lines
    }
}
