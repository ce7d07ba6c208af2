//! Unix sockets, `unix:/path`: links between processes of one host.
//!
//! Who may speak is checked at both ends, by the user that the peer's process runs as. The bytes do not leave the host, and
//! need no encryption.

use std::{collections::BTreeSet, io, path::Path};

use tokio::net::{UnixListener, UnixStream, unix::UCred};

use self::file::SocketFile;
use crate::{
    address::Address,
    connector::{BoxFuture, Connector},
    error::TransportError,
    link::{Link, Security},
    links::Scheme,
    listener::{Accepted, Bind, Listener, Remote},
};

mod file;

/// The user that may do everything anyway.
const ROOT: u32 = 0;

/// Users whose processes may be at the other end. Default: the own one and root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Users {
    own: bool,
    uids: BTreeSet<u32>,
}

impl Default for Users {
    fn default() -> Self {
        Self {
            own: true,
            uids: [ROOT].into(),
        }
    }
}

impl Users {
    /// Those of these numbers and nobody else.
    pub fn only(uids: impl IntoIterator<Item = u32>) -> Self {
        Self {
            own: false,
            uids: uids.into_iter().collect(),
        }
    }

    /// This one too.
    pub fn and(mut self, uid: u32) -> Self {
        self.uids.insert(uid);
        self
    }

    /// Who the system lets connect: the owner, or anybody, of whom those that may not are turned away then.
    fn mode(&self) -> u32 {
        let own = own_uid().ok();
        let is_own = |uid: &u32| *uid == ROOT || Some(*uid) == own;
        if self.uids.iter().all(is_own) {
            file::OWNER_ONLY
        } else {
            file::EVERYBODY
        }
    }

    fn check(&self, stream: &UnixStream) -> Result<UCred, TransportError> {
        let peer = stream.peer_cred().map_err(TransportError::Lost)?;
        let uid = peer.uid();
        if self.uids.contains(&uid) || self.own && own_uid().map_err(TransportError::Lost)? == uid {
            return Ok(peer);
        }
        Err(TransportError::NotAllowed { uid })
    }
}

/// The user of this process: what the kernel says of both ends of a pair that it has made.
fn own_uid() -> io::Result<u32> {
    Ok(UnixStream::pair()?.0.peer_cred()?.uid())
}

/// The scheme, for [`Links::with_scheme`](crate::Links::with_scheme) under `unix`.
///
/// A listener's file can be connected to by its owner alone (mode 0600) unless other users may come (mode 0666, and each is
/// asked for its user), and is removed when the listener is dropped. One that a node has left behind is replaced; a file that
/// is no socket, or where somebody answers, never is. Nodes that begin at once take turns, by a lock on the directory.
pub fn scheme(users: Users) -> Scheme {
    Scheme::new(Security::Local)
        .with_connector(Unix(users.clone()))
        .with_bind(Unix(users))
}

struct Unix(Users);

impl Connector for Unix {
    fn dial<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, Result<Link, TransportError>> {
        Box::pin(async {
            let stream = UnixStream::connect(path(address)).await;
            let stream = stream.map_err(TransportError::Connect)?;
            self.0.check(&stream)?;
            Ok(link(stream, address.to_string(), "unix".to_owned()))
        })
    }
}

impl Bind for Unix {
    fn listen<'a>(
        &'a self,
        address: &'a Address,
    ) -> BoxFuture<'a, Result<Box<dyn Listener>, TransportError>> {
        Box::pin(async {
            let (listener, file) = SocketFile::listen(path(address), self.0.mode()).await?;
            let listener: Box<dyn Listener> = Box::new(Sockets {
                listener,
                _file: file,
                local: address.clone(),
                users: self.0.clone(),
            });
            Ok(listener)
        })
    }
}

struct Sockets {
    /// Removed while the socket still answers: before that nobody else takes its place.
    _file: SocketFile,
    listener: UnixListener,
    local: Address,
    users: Users,
}

impl Listener for Sockets {
    fn local(&self) -> &Address {
        &self.local
    }

    fn accept(&mut self) -> BoxFuture<'_, Result<Accepted, TransportError>> {
        Box::pin(async {
            let accepted = self.listener.accept().await;
            let (stream, _) = accepted.map_err(TransportError::Accept)?;
            let local = self.local.to_string();
            let users = self.users.clone();
            Ok(Accepted::new(Remote::labelled("unix"), async move {
                let peer = users.check(&stream)?;
                Ok(link(stream, label(peer), local))
            }))
        })
    }
}

fn path(address: &Address) -> &Path {
    Path::new(address.path())
}

fn label(peer: UCred) -> String {
    match peer.pid() {
        Some(pid) => format!("unix:uid={},pid={pid}", peer.uid()),
        None => format!("unix:uid={}", peer.uid()),
    }
}

fn link(stream: UnixStream, peer: String, local: String) -> Link {
    let (reader, writer) = stream.into_split();
    let (reader, writer) = (Box::new(reader), Box::new(writer));
    Link::over(reader, writer, (peer, local), Security::Local)
}

#[cfg(test)]
mod tests;
