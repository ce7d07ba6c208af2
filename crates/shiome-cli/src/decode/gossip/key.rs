//! Opens encrypted datagrams, for who knows the cookie (docs/GOSSIP.md, 8).

use bytes::Bytes;
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305,
    aead::{AeadInOut as _, inout::InOutBuf},
};
use shiome::{Cookie, membership::cluster_id};

use super::encrypted::{AEAD_TAG_LEN, HEADER_LEN};

/// What the key of gossip is derived from the cookie with.
const KEY_LABEL: &str = "shiome gossip 1";

/// Where the nonce stands in the header.
const NONCE_START: usize = 12;

/// What opens the datagrams of a cluster.
pub(in crate::decode) struct GossipKey {
    cipher: XChaCha20Poly1305,
    cluster: u64,
}

impl GossipKey {
    /// The key of the cluster of this name, whose nodes have this cookie.
    pub(in crate::decode) fn new(cookie: &Cookie, cluster: &str) -> Self {
        let key = cookie.derive_key(KEY_LABEL);
        Self {
            cipher: XChaCha20Poly1305::new((&*key).into()),
            cluster: cluster_id(cluster),
        }
    }

    /// The datagram with the message decrypted where it stands; `None` when it is of another key or cluster.
    pub(super) fn open(&self, datagram: &[u8]) -> Option<Bytes> {
        let mut opened = datagram.to_vec();
        let (header, rest) = opened.split_first_chunk_mut::<HEADER_LEN>()?;
        let (message, tag) = rest.split_last_chunk_mut::<AEAD_TAG_LEN>()?;
        let nonce: &[u8; 24] = header.get(NONCE_START..)?.try_into().ok()?;
        let associated = [&header[..], &self.cluster.to_le_bytes()].concat();
        let (nonce, tag) = (nonce.into(), (&*tag).into());
        let buffer = InOutBuf::from(message);
        let open = self
            .cipher
            .decrypt_inout_detached(nonce, &associated, buffer, tag);
        open.ok().map(|()| opened.into())
    }
}
