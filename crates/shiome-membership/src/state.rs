//! What a node keeps over a restart: who it is.
//!
//! The directory holds a file `node` (see [`Record`]), which is replaced as a whole: written beside, synced, renamed,
//! and the directory synced. A file `lock` is locked while a node uses the directory.

mod record;
mod recorder;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use shiome_gossip::NodeId;
use thiserror::Error;

pub(crate) use record::Record;
pub use record::RecordError;
pub(crate) use recorder::Recorder;

/// Longest file that is read. What is written is a sixth of it.
const MAX_RECORD_LEN: u64 = 1024;

/// The state directory cannot be used. Nothing in it was changed, unless the error is of writing or syncing: then the
/// file is either as it was or as it should be.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StateError {
    /// The operating system refused something.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// Its reason.
        source: io::Error,
    },
    /// Another node uses the directory, in this process or in another one.
    #[error("{} is in use by another node", .0.display())]
    InUse(PathBuf),
    /// The file does not say who the node is. It is left as it is: to start as a new node, remove it.
    #[error("cannot make sense of {}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: RecordError,
    },
    /// The program named another id than the one in the directory.
    #[error("the directory is of node {stored}, not of {given}")]
    OtherNode {
        /// In the directory.
        stored: NodeId,
        /// Named by the program.
        given: NodeId,
    },
    /// The node has had the last incarnation there is.
    #[error("no incarnation is left")]
    Exhausted,
}

/// A locked state directory. Dropping it unlocks it.
#[derive(Debug)]
pub(crate) struct StateDir {
    path: PathBuf,
    /// Closing it unlocks the directory.
    _lock: File,
}

impl StateDir {
    /// Makes the directory if there is none, locks it, and reads what is in it. Blocks on the file system.
    pub(crate) fn open(path: &Path) -> Result<(Self, Option<Record>), StateError> {
        fs::create_dir_all(path).map_err(cannot("create", path))?;
        let dir = Self {
            path: path.to_owned(),
            _lock: lock(path)?,
        };
        let record = dir.read()?;
        Ok((dir, record))
    }

    /// Replaces what is in the directory. When it returns, that survives a crash of the machine. Blocks on the file
    /// system.
    pub(crate) fn store(&self, record: &Record) -> Result<(), StateError> {
        let (target, beside) = (self.file(), self.path.join("node.new"));
        let mut file = File::create(&beside).map_err(cannot("create", &beside))?;
        file.write_all(record.to_string().as_bytes())
            .map_err(cannot("write", &beside))?;
        file.sync_all().map_err(cannot("sync", &beside))?;
        drop(file);
        fs::rename(&beside, &target).map_err(cannot("replace", &target))?;
        self.sync()
    }

    fn read(&self) -> Result<Option<Record>, StateError> {
        let path = self.file();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(cannot("open", &path)(error)),
        };
        let mut bytes = Vec::new();
        file.take(MAX_RECORD_LEN)
            .read_to_end(&mut bytes)
            .map_err(cannot("read", &path))?;
        match Record::parse(&bytes) {
            Ok(record) => Ok(Some(record)),
            Err(source) => Err(StateError::Corrupt { path, source }),
        }
    }

    fn file(&self) -> PathBuf {
        self.path.join("node")
    }

    /// Makes a rename in the directory last.
    #[cfg(unix)]
    fn sync(&self) -> Result<(), StateError> {
        let result = File::open(&self.path).and_then(|dir| dir.sync_all());
        result.map_err(cannot("sync", &self.path))
    }

    /// Directories cannot be opened as files here; the file system keeps renames in order.
    #[cfg(not(unix))]
    fn sync(&self) -> Result<(), StateError> {
        Ok(())
    }
}

fn lock(dir: &Path) -> Result<File, StateError> {
    let path = dir.join("lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(cannot("open", &path))?;
    match fs4::FileExt::try_lock(&file) {
        Ok(()) => Ok(file),
        Err(fs4::TryLockError::WouldBlock) => Err(StateError::InUse(dir.to_owned())),
        Err(fs4::TryLockError::Error(error)) => Err(cannot("lock", &path)(error)),
    }
}

fn cannot(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StateError {
    let path = path.to_owned();
    move |source| StateError::Io {
        action,
        path,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(incarnation: u64) -> Record {
        Record {
            id: NodeId::from([7; 16]),
            incarnation,
            epoch: 99,
        }
    }

    #[test]
    fn what_is_stored_is_there_next_time() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("new/state");
        let (dir, first) = StateDir::open(&path).unwrap();
        assert_eq!(first, None);
        for incarnation in [1, 2] {
            dir.store(&record(incarnation)).unwrap();
        }
        drop(dir);
        let (_dir, second) = StateDir::open(&path).unwrap();
        assert_eq!(second, Some(record(2)));
        assert!(!path.join("node.new").exists());
    }

    #[test]
    fn a_directory_is_used_by_one_node() {
        let temp = tempfile::tempdir().unwrap();
        let (dir, _) = StateDir::open(temp.path()).unwrap();
        let second = StateDir::open(temp.path()).unwrap_err();
        assert!(matches!(second, StateError::InUse(path) if path == temp.path()));
        drop(dir);
        StateDir::open(temp.path()).unwrap();
    }

    #[test]
    fn a_broken_file_is_an_error_and_stays() {
        let temp = tempfile::tempdir().unwrap();
        for broken in ["", "shiome-membership 1\n", &"x".repeat(5000)] {
            fs::write(temp.path().join("node"), broken).unwrap();
            let error = StateDir::open(temp.path()).unwrap_err();
            assert!(matches!(error, StateError::Corrupt { .. }), "{error:?}");
            let left = fs::read_to_string(temp.path().join("node")).unwrap();
            assert_eq!(left, broken);
        }
    }

    #[test]
    fn a_crash_while_writing_leaves_the_former_state() {
        let temp = tempfile::tempdir().unwrap();
        let (dir, _) = StateDir::open(temp.path()).unwrap();
        dir.store(&record(1)).unwrap();
        drop(dir);
        fs::write(temp.path().join("node.new"), "shiome-mem").unwrap();
        let (dir, read) = StateDir::open(temp.path()).unwrap();
        assert_eq!(read, Some(record(1)));
        dir.store(&record(2)).unwrap();
        assert_eq!(dir.read().unwrap(), Some(record(2)));
    }

    #[test]
    fn what_cannot_be_used_as_a_directory_is_named() {
        let temp = tempfile::NamedTempFile::new().unwrap();
        let error = StateDir::open(temp.path()).unwrap_err();
        assert!(
            matches!(&error, StateError::Io { action: "create", path, .. } if path == temp.path())
        );
    }
}
