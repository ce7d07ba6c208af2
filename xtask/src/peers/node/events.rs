//! What a node tells without being asked.

use std::{sync::mpsc::RecvTimeoutError, time::Instant};

use super::{Node, PATIENCE};

impl Node {
    /// Waits for an event that begins so, also one from before, and takes it with all that came earlier.
    ///
    /// # Errors
    ///
    /// What to tell when it did not come in time.
    pub(crate) fn await_event(&mut self, beginning: &str) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        if self.sees_event(&[beginning], deadline)?.is_some() {
            return Ok(());
        }
        Err(self.told(&format!("was silent instead of the event {beginning:?}")))
    }

    /// Waits until then for an event that begins in one of these ways, also one from before, and takes it with all that
    /// came earlier. Returns when it came, or `None`.
    ///
    /// # Errors
    ///
    /// What to tell when the node ended or said something else.
    pub(crate) fn sees_event(
        &mut self,
        beginnings: &[&str],
        deadline: Instant,
    ) -> Result<Option<Instant>, String> {
        let wanted = |(_, event): &(_, String)| beginnings.iter().any(|b| event.starts_with(b));
        loop {
            if let Some(at) = self.events.iter().position(wanted) {
                return Ok(self.events.drain(..=at).next_back().map(|(at, _)| at));
            }
            let patience = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(patience) {
                Ok((at, line)) if self.is_event(at, &line) => {}
                Ok((_, line)) => return Err(self.told(&format!("said {line:?}"))),
                Err(RecvTimeoutError::Timeout) => return Ok(None),
                Err(RecvTimeoutError::Disconnected) => return Err(self.told("ended")),
            }
        }
    }

    /// Connections that are open, authenticated or not. Recent as of the last answer.
    pub(crate) fn open_connections(&self) -> usize {
        self.opened.saturating_sub(self.ended)
    }

    /// Connections that were ever opened. Recent as of the last answer.
    pub(crate) fn opened_connections(&self) -> usize {
        self.opened
    }

    /// The events that came and were not waited for.
    pub(crate) fn events(&self) -> impl Iterator<Item = &str> {
        self.events.iter().map(|(_, event)| event.as_str())
    }

    pub(crate) fn forget_events(&mut self) {
        self.events.clear();
    }

    /// Takes an event down; `false` for other lines.
    pub(super) fn is_event(&mut self, at: Instant, line: &str) -> bool {
        let Some(event) = line.strip_prefix("event ") else {
            return false;
        };
        if event.starts_with("opened") {
            self.opened += 1;
        } else if event.starts_with("disconnected") {
            self.ended += 1;
        }
        self.events.push((at, event.to_owned()));
        true
    }
}
