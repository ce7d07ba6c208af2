//! The file of a listening socket.

use std::{
    fs::{self, Metadata, Permissions},
    io,
    os::unix::{
        fs::{FileTypeExt, MetadataExt, PermissionsExt},
        net::SocketAddr,
    },
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use tokio::net::{UnixListener, UnixStream};

use crate::error::TransportError;

/// Only the owner may connect.
const MODE: u32 = 0o600;

/// Names that are tried for a file that is there for a moment only. Others are there after a crash.
const MAX_NAMES: usize = 64;

/// The file of a socket that this process listens on. Removed on drop, unless another has taken its place.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    id: (u64, u64),
}

impl SocketFile {
    /// Listens at `path`. The file is there from the moment when it can be connected to, and never before its mode is
    /// right: it is made under another name, and takes its own by a link, which replaces nothing.
    pub(super) async fn listen(path: &Path) -> Result<(UnixListener, Self), TransportError> {
        // A longer one than sockets may have would be made, and nobody could connect to it.
        SocketAddr::from_pathname(path).map_err(TransportError::Listen)?;
        clear(path).await?;
        let (listener, made) = bind_nearby(path).map_err(TransportError::Listen)?;
        let placed = place(&made, path);
        let removed = fs::remove_file(&made);
        let file = placed.map_err(|error| TransportError::Listen(taken(error)))?;
        removed.map_err(TransportError::Listen)?;
        Ok((listener, file))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let still_there = fs::symlink_metadata(&self.path).is_ok_and(|file| id(&file) == self.id);
        if still_there {
            // Nobody is left to be told.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn id(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// In the words of sockets.
fn taken(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::AlreadyExists => io::ErrorKind::AddrInUse.into(),
        _ => error,
    }
}

/// Listens at a name of its own beside `path`.
fn bind_nearby(path: &Path) -> io::Result<(UnixListener, PathBuf)> {
    let mut result = Err(io::ErrorKind::AddrInUse.into());
    for _ in 0..MAX_NAMES {
        let made = nearby(path);
        match UnixListener::bind(&made) {
            Ok(listener) => return Ok((listener, made)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => result = Err(error),
            Err(error) => return Err(error),
        }
    }
    result
}

/// A short name, as those of sockets are limited to about a hundred bytes with their path.
fn nearby(path: &Path) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!(".{:x}.{n:x}", process::id()))
}

fn place(made: &Path, path: &Path) -> io::Result<SocketFile> {
    fs::set_permissions(made, Permissions::from_mode(MODE))?;
    let id = id(&fs::symlink_metadata(made)?);
    fs::hard_link(made, path)?;
    Ok(SocketFile {
        path: path.to_owned(),
        id,
    })
}

/// Makes room at `path`, if what is there is a socket that nobody listens on.
async fn clear(path: &Path) -> Result<(), TransportError> {
    match is_left_behind(path).await? {
        None => return Ok(()),
        Some(false) => return Err(in_use()),
        Some(true) => {}
    }
    // Another process may do the same at this moment, and listen already: what was moved away is looked at again.
    let moved = nearby(path);
    match fs::rename(path, &moved) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        moved => moved.map_err(TransportError::Listen)?,
    }
    let left_behind = is_left_behind(&moved).await;
    let restored = match left_behind {
        Ok(Some(true)) => Ok(()),
        _ => fs::hard_link(&moved, path),
    };
    fs::remove_file(&moved)
        .and(restored)
        .map_err(TransportError::Listen)?;
    match left_behind? {
        Some(true) => Ok(()),
        _ => Err(in_use()),
    }
}

fn in_use() -> TransportError {
    TransportError::Listen(io::ErrorKind::AddrInUse.into())
}

/// Whether nobody listens on the socket at `path`; `None` where there is nothing.
async fn is_left_behind(path: &Path) -> Result<Option<bool>, TransportError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(TransportError::Listen(error)),
        Ok(file) if !file.file_type().is_socket() => {
            return Err(TransportError::NotASocket {
                path: path.to_owned(),
            });
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(Some(true)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // It answers, or it may be that it would.
        _ => Ok(Some(false)),
    }
}
