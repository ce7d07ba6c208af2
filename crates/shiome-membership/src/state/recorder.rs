use std::{future::pending, sync::Arc};

use tokio::task::JoinHandle;

use super::{Record, StateDir, StateError};

/// Writes new incarnations into the state directory, beside the task that has them.
///
/// One write at a time; of those that are asked for meanwhile the latest is next.
#[derive(Debug)]
pub(crate) struct Recorder {
    dir: Arc<StateDir>,
    record: Record,
    /// Whether `record` is not yet being written.
    changed: bool,
    writing: Option<JoinHandle<Result<(), StateError>>>,
}

impl Recorder {
    /// `record` is what is in the directory.
    pub(crate) fn new(dir: StateDir, record: Record) -> Self {
        Self {
            dir: Arc::new(dir),
            record,
            changed: false,
            writing: None,
        }
    }

    /// Has the incarnation written. Returns at once.
    pub(crate) fn record(&mut self, incarnation: u64) {
        if incarnation > self.record.incarnation {
            self.record.incarnation = incarnation;
            self.changed = true;
            self.write();
        }
    }

    /// Waits for the end of a write, and starts the next. Waits for ever when there is none. Cancel-safe.
    pub(crate) async fn written(&mut self) -> Result<(), StateError> {
        let Some(writing) = &mut self.writing else {
            return pending().await;
        };
        let result = writing.await;
        self.writing = None;
        self.write();
        // A write that panicked or was never run is the runtime's end.
        result.unwrap_or(Ok(()))
    }

    /// Waits until all that was asked for is written.
    pub(crate) async fn finish(mut self) -> Result<(), StateError> {
        while self.writing.is_some() {
            self.written().await?;
        }
        Ok(())
    }

    fn write(&mut self) {
        if self.writing.is_some() || !self.changed {
            return;
        }
        self.changed = false;
        let (dir, record) = (Arc::clone(&self.dir), self.record);
        self.writing = Some(tokio::task::spawn_blocking(move || dir.store(&record)));
    }
}

#[cfg(test)]
mod tests {
    use shiome_gossip::NodeId;

    use super::*;

    #[tokio::test]
    async fn the_latest_incarnation_is_written() {
        let temp = tempfile::tempdir().unwrap();
        let (dir, _) = StateDir::open(temp.path()).unwrap();
        let first = Record {
            id: NodeId::from([1; 16]),
            incarnation: 1,
            epoch: 5,
        };
        let mut recorder = Recorder::new(dir, first);
        for incarnation in [2, 5, 9, 3] {
            recorder.record(incarnation);
        }
        recorder.finish().await.unwrap();
        let (_, stored) = StateDir::open(temp.path()).unwrap();
        let expected = Record {
            incarnation: 9,
            ..first
        };
        assert_eq!(stored, Some(expected));
    }

    #[tokio::test]
    async fn a_write_that_fails_is_told() {
        let temp = tempfile::tempdir().unwrap();
        let (dir, _) = StateDir::open(&temp.path().join("state")).unwrap();
        let record = Record {
            id: NodeId::from([1; 16]),
            incarnation: 1,
            epoch: 5,
        };
        let mut recorder = Recorder::new(dir, record);
        std::fs::remove_dir_all(temp.path().join("state")).unwrap();
        recorder.record(2);
        assert!(matches!(
            recorder.written().await,
            Err(StateError::Io { .. })
        ));
    }
}
