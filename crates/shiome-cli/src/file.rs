//! Files that are not overwritten by mistake, and of which the secret ones are the user's alone.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use shiome::transport::tls::MAX_PEM_LEN;
use thiserror::Error;
use tracing::warn;

/// A file cannot be made, or read.
#[derive(Debug, Error)]
pub(crate) enum FileError {
    #[error("`{}` is there already", .0.display())]
    Exists(PathBuf),
    #[error("cannot read `{}`", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write `{}`", .path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Whom the user lets.
    Public,
    /// The user alone.
    Secret,
}

/// Makes a directory, and those that it is in, unless they are there.
pub(crate) fn create_dir(dir: &Path) -> Result<(), FileError> {
    fs::create_dir_all(dir).map_err(|source| FileError::Write {
        path: dir.to_owned(),
        source,
    })
}

/// That there is nothing of this name, before work is put into what would be.
pub(crate) fn ensure_absent(path: &Path) -> Result<(), FileError> {
    match path.symlink_metadata() {
        Ok(_) => Err(FileError::Exists(path.to_owned())),
        Err(_) => Ok(()),
    }
}

/// Reads a text file, which ends at the length where no PEM file is as long.
pub(crate) fn read(path: &Path) -> Result<String, FileError> {
    let mut content = String::new();
    let file = fs::File::open(path);
    file.and_then(|file| file.take(MAX_PEM_LEN).read_to_string(&mut content))
        .map_err(|source| FileError::Read {
            path: path.to_owned(),
            source,
        })?;
    Ok(content)
}

/// Warns when other users can read the secret that is in a file.
pub(crate) fn warn_if_open(file: &fs::File, path: &Path, secret: &str) -> io::Result<()> {
    if is_open_to_others(file)? {
        warn!(file = %path.display(), "other users can read the {secret}; chmod 600 ends that");
    }
    Ok(())
}

#[cfg(unix)]
fn is_open_to_others(file: &fs::File) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    const READ_BY_GROUP_OR_OTHERS: u32 = 0o044;
    let mode = file.metadata()?.permissions().mode();
    Ok(mode & READ_BY_GROUP_OR_OTHERS != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_file: &fs::File) -> io::Result<bool> {
    Ok(false)
}

/// Writes a file that must not be there yet.
pub(crate) fn write_new(path: &Path, kind: Kind, content: &str) -> Result<(), FileError> {
    create(path, kind, content).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => FileError::Exists(path.to_owned()),
        _ => FileError::Write {
            path: path.to_owned(),
            source,
        },
    })
}

/// Writes a file that may be there: a reader sees the old one or the new one, whole.
pub(crate) fn replace(path: &Path, kind: Kind, content: &str) -> Result<(), FileError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let replaced = match fs::remove_file(&beside) {
        // Left by a run that did not come to its end.
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    replaced
        .and_then(|()| create(&beside, kind, content))
        .and_then(|()| fs::rename(&beside, path))
        .map_err(|source| FileError::Write {
            path: path.to_owned(),
            source,
        })
}

fn create(path: &Path, kind: Kind, content: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    restrict(&mut options, kind);
    let mut file = options.open(path)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()
}

#[cfg(unix)]
fn restrict(options: &mut OpenOptions, kind: Kind) {
    use std::os::unix::fs::OpenOptionsExt as _;
    if kind == Kind::Secret {
        options.mode(0o600);
    }
}

/// The user's directories are the user's alone where there are no modes.
#[cfg(not(unix))]
fn restrict(_options: &mut OpenOptions, _kind: Kind) {}
