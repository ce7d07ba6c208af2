//! What a node logs: all that it was told to by `--log`, else what it says of its own end.

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Instant,
};

use super::{Node, PATIENCE};

/// The lines so far. Its clones are the same.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Shared>);

#[derive(Default)]
struct Shared {
    lines: Mutex<Vec<String>>,
    grown: Condvar,
}

impl Log {
    pub(super) fn push(&self, line: String) {
        let mut lines = self.0.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line);
        self.0.grown.notify_all();
    }

    /// The first line with one of these words in it that came, or comes until then.
    fn find(&self, words: &[&str], deadline: Instant) -> Option<String> {
        let has_one = |line: &&String| words.iter().any(|word| line.contains(word));
        let mut lines = self.0.lines.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(line) = lines.iter().find(has_one) {
                return Some(line.clone());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            let grown = self.0.grown.wait_timeout(lines, left);
            (lines, _) = grown.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Node {
    /// Waits for a logged line with one of these words in it, also one from before.
    ///
    /// # Errors
    ///
    /// What to tell when none came in time.
    pub(crate) fn logs(&self, words: &[&str]) -> Result<String, String> {
        let found = self.log.find(words, Instant::now() + PATIENCE);
        found.ok_or_else(|| self.told(&format!("logged none of {words:?}")))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_line_is_found_before_and_after_it_came() {
        let log = Log::default();
        log.push("refused: x".to_owned());
        let soon = Instant::now() + Duration::from_millis(1);
        assert_eq!(log.find(&["y", "x"], soon).as_deref(), Some("refused: x"));
        assert_eq!(log.find(&["z"], soon), None);
        let later = log.clone();
        std::thread::spawn(move || later.push("z".to_owned()));
        let long = Instant::now() + Duration::from_secs(10);
        assert_eq!(log.find(&["z"], long).as_deref(), Some("z"));
    }
}
