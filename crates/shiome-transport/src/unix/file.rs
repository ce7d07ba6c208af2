//! The file of a listening socket.

use std::{
    fs::{self, File, Metadata, Permissions},
    io,
    os::unix::{
        fs::{FileTypeExt, MetadataExt, PermissionsExt},
        net,
    },
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::{net::UnixListener, task::spawn_blocking};

use crate::error::TransportError;

/// Only the owner may connect, and root.
pub(super) const OWNER_ONLY: u32 = 0o600;

/// All may connect.
pub(super) const EVERYBODY: u32 = 0o666;

/// How long other nodes may hold the lock on the directory, and how often it is looked at. Any program that may read a
/// directory can lock it for as long as it likes.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);
const LOCK_RETRY: Duration = Duration::from_millis(10);

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
    pub(super) async fn listen(
        path: &Path,
        mode: u32,
    ) -> Result<(UnixListener, Self), TransportError> {
        let path = path.to_owned();
        // It waits for others that do the same in this directory.
        let listened = spawn_blocking(move || listen(&path, mode)).await;
        let (listener, file) = listened.map_err(|error| TransportError::Listen(error.into()))??;
        let listener = UnixListener::from_std(listener).map_err(TransportError::Listen)?;
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

fn listen(path: &Path, mode: u32) -> Result<(net::UnixListener, SocketFile), TransportError> {
    // A longer one than sockets may have would be made, and nobody could connect to it.
    net::SocketAddr::from_pathname(path).map_err(TransportError::Listen)?;
    // Between the look at a file and its removal no other node takes its place. Released with the descriptor.
    let _lock = lock(path, LOCK_TIMEOUT).map_err(TransportError::Listen)?;
    clear(path)?;
    let bound = || {
        let (listener, made) = bind_nearby(path)?;
        let placed = place(&made, path, mode);
        let removed = fs::remove_file(&made);
        let file = placed.map_err(taken)?;
        removed?;
        listener.set_nonblocking(true)?;
        Ok((listener, file))
    };
    bound().map_err(TransportError::Listen)
}

/// Locks the directory of `path`, against other nodes, in so long.
pub(super) fn lock(path: &Path, within: Duration) -> io::Result<File> {
    let dir = path.parent().unwrap_or(path);
    let dir = File::open(dir)?;
    let began = Instant::now();
    loop {
        match flock(&dir, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(dir),
            Err(Errno::WOULDBLOCK) if began.elapsed() < within => thread::sleep(LOCK_RETRY),
            Err(Errno::WOULDBLOCK) => return Err(io::ErrorKind::TimedOut.into()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Listens at a name of its own beside `path`.
fn bind_nearby(path: &Path) -> io::Result<(net::UnixListener, PathBuf)> {
    let mut result = Err(io::ErrorKind::AddrInUse.into());
    for _ in 0..MAX_NAMES {
        let made = nearby(path);
        match net::UnixListener::bind(&made) {
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

fn place(made: &Path, path: &Path, mode: u32) -> io::Result<SocketFile> {
    fs::set_permissions(made, Permissions::from_mode(mode))?;
    let id = id(&fs::symlink_metadata(made)?);
    fs::hard_link(made, path)?;
    Ok(SocketFile {
        path: path.to_owned(),
        id,
    })
}

/// Makes room at `path`, if what is there is a socket that nobody listens on.
fn clear(path: &Path) -> Result<(), TransportError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(TransportError::Listen(error)),
        Ok(file) if !file.file_type().is_socket() => {
            return Err(TransportError::NotASocket {
                path: path.to_owned(),
            });
        }
        Ok(_) => {}
    }
    let removed = match is_left_behind(path) {
        Ok(true) => fs::remove_file(path),
        Ok(false) => Err(io::ErrorKind::AddrInUse.into()),
        Err(error) => Err(error),
    };
    removed.map_err(TransportError::Listen)
}

/// Whether nobody listens on the socket at `path`. What does not refuse may answer, for instance when it has time.
fn is_left_behind(path: &Path) -> io::Result<bool> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    let connected = socket.connect(&SockAddr::unix(path)?);
    Ok(connected.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused))
}
