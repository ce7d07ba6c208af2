//! What nodes say about themselves.

use std::fmt;

use shiome_wire::auth::{NameMessage, NodeFlags};

use crate::config::Local;
use crate::error::{HandshakeError, NameError};
use crate::hello::{self, Own};

/// Limit on a peer's name, and on its connection string, in bytes each.
///
/// A host name has at most 253 bytes; names are kept, logged and passed on for as long as the session lives.
pub const MAX_NAME_LEN: usize = 255;

/// Version of the base protocol in `NodeFlags`. Published nodes send 1 and read nothing.
pub const PROTOCOL_VERSION: u32 = 1;

pub(crate) fn flags(own: Option<&Own>) -> Option<NodeFlags> {
    Some(NodeFlags {
        version: PROTOCOL_VERSION,
        hello: own.map(|own| own.encoded.clone()).unwrap_or_default(),
    })
}

/// Checks what a peer claims to be. Absent flags and any version are acceptable.
///
/// The connection string may be empty: a node that cannot be dialled has none.
pub(crate) fn check(peer: &NameMessage, local: &Local) -> Result<(), HandshakeError> {
    if peer.name.is_empty() {
        return Err(NameError::Empty.into());
    }
    let len = peer.name.len();
    if len > MAX_NAME_LEN {
        return Err(NameError::NameTooLong { len }.into());
    }
    let len = peer.connection_string.len();
    if len > MAX_NAME_LEN {
        return Err(NameError::ConnectionStringTooLong { len }.into());
    }
    if is_self(peer, local) {
        return Err(HandshakeError::SelfConnection);
    }
    Ok(())
}

/// Two nodes that cannot be dialled are not the same for it.
fn is_self(peer: &NameMessage, local: &Local) -> bool {
    peer.name == local.name
        || (!peer.connection_string.is_empty() && peer.connection_string == local.connection_string)
}

/// Shows a name without the bytes of the announcement, which hold a nonce.
pub(crate) struct Shown<'a>(pub(crate) &'a NameMessage);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NameMessage")
            .field("name", &self.0.name)
            .field("connection_string", &self.0.connection_string)
            .field("connection_id", &self.0.connection_id)
            .field("hello_len", &hello::raw(self.0.flags.as_ref()).len())
            .finish_non_exhaustive()
    }
}
