use std::{
    fmt,
    ops::Range,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use chacha20poly1305::{AeadInOut, XChaCha20Poly1305};
use shiome_gossip::{AuthError, MAX_DATAGRAM_LEN, NodeId, Secret};

use super::{
    AEAD_TAG_LEN, Encryption, MigrationError, Reject, Security, check_migration,
    header::{HEADER_LEN, Header, SenderId, nonce},
    keyring::Keyring,
};

/// How this node protects what it says. Shared by all of its tasks.
#[derive(Debug)]
pub(crate) enum Protection {
    Plaintext,
    Hmac(Secret),
    Encrypted(Sealer),
}

impl Protection {
    /// `epoch` is above that of any earlier run of the node.
    pub(crate) fn new(security: &Security, cluster: u64, node: &NodeId, epoch: u64) -> Self {
        match security {
            Security::Plaintext => Self::Plaintext,
            Security::Hmac(secret) => Self::Hmac(secret.clone()),
            Security::Encrypted(encryption) => {
                Self::Encrypted(Sealer::new(encryption, cluster, node, epoch))
            }
        }
    }

    /// Protects a message of `len` bytes that stands in `frame` from [`HEADER_LEN`] on, and returns where in `frame` the
    /// result stands; `None` if there is no room for it.
    #[must_use]
    pub(crate) fn seal(
        &self,
        tag: u8,
        sent: u32,
        frame: &mut [u8],
        len: usize,
    ) -> Option<Range<usize>> {
        let end = HEADER_LEN.checked_add(len)?;
        match self {
            Self::Encrypted(sealer) if sealer.send_encrypted.load(Ordering::Relaxed) => {
                sealer.seal(tag, sent, frame, len)
            }
            Self::Hmac(secret) => {
                let sealed = secret.seal(frame.get_mut(HEADER_LEN..)?, len).ok()?;
                Some(HEADER_LEN..HEADER_LEN + sealed)
            }
            Self::Plaintext | Self::Encrypted(_) => (end <= frame.len()).then_some(HEADER_LEN..end),
        }
    }

    /// What was said, if it is protected as it should be. `tag` is what an encrypted message of its kind starts with.
    ///
    /// `check` is asked before anything is decrypted. The header is that of an encrypted message, which is authentic.
    pub(crate) fn open<'a>(
        &self,
        tag: u8,
        message: &'a mut [u8],
        check: impl FnOnce(&Header) -> Result<(), Reject>,
    ) -> Result<(Option<Header>, &'a [u8]), Reject> {
        if message.len() > MAX_DATAGRAM_LEN {
            return Err(Reject::Oversized);
        }
        let is_encrypted = message.first() == Some(&tag);
        match self {
            Self::Hmac(secret) => match secret.open(message) {
                Ok(message) => Ok((None, message)),
                Err(AuthError::TooShort) => Err(Reject::Truncated),
                Err(AuthError::TooLong) => Err(Reject::Oversized),
                Err(_) => Err(Reject::Forged),
            },
            Self::Plaintext if is_encrypted => Err(Reject::Encrypted),
            Self::Encrypted(sealer) if is_encrypted => {
                let (header, message) = sealer.open(message, check)?;
                Ok((Some(header), message))
            }
            Self::Encrypted(sealer) if !sealer.accept_plaintext.load(Ordering::Relaxed) => {
                Err(Reject::Plaintext)
            }
            Self::Plaintext | Self::Encrypted(_) => Ok((None, message)),
        }
    }

    /// See [`Encryption`].
    pub(crate) fn set_migration(
        &self,
        accept_plaintext: bool,
        send_encrypted: bool,
    ) -> Result<(), MigrationError> {
        let Self::Encrypted(sealer) = self else {
            return Err(MigrationError::NoKeys);
        };
        check_migration(accept_plaintext, send_encrypted)?;
        sealer
            .accept_plaintext
            .store(accept_plaintext, Ordering::Relaxed);
        sealer
            .send_encrypted
            .store(send_encrypted, Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn keyring(&self) -> Option<&Keyring> {
        match self {
            Self::Encrypted(sealer) => Some(&sealer.keyring),
            Self::Plaintext | Self::Hmac(_) => None,
        }
    }
}

/// Encrypts what one run of a node sends, and decrypts what others do.
pub(crate) struct Sealer {
    keyring: Keyring,
    accept_plaintext: AtomicBool,
    send_encrypted: AtomicBool,
    cluster: u64,
    sender: SenderId,
    epoch: u64,
    /// Of the next message. It goes on when keys change, so one window of the receivers serves all keys.
    counter: AtomicU64,
}

impl Sealer {
    fn new(encryption: &Encryption, cluster: u64, node: &NodeId, epoch: u64) -> Self {
        Self {
            keyring: encryption.keyring.clone(),
            accept_plaintext: AtomicBool::new(encryption.accept_plaintext),
            send_encrypted: AtomicBool::new(encryption.send_encrypted),
            cluster,
            sender: SenderId::of(node),
            epoch,
            counter: AtomicU64::new(0),
        }
    }

    fn seal(&self, tag: u8, sent: u32, frame: &mut [u8], len: usize) -> Option<Range<usize>> {
        let (header, rest) = frame.split_first_chunk_mut::<HEADER_LEN>()?;
        let (message, rest) = rest.split_at_mut_checked(len)?;
        let aead_tag = rest.first_chunk_mut::<AEAD_TAG_LEN>()?;
        // Counts to 2^64 and never wraps: a node would have to send for centuries.
        let counter = self.counter.fetch_add(1, Ordering::Relaxed);
        self.keyring.with_primary(|key, cipher| {
            *header = Header {
                tag,
                cluster: low_bits(self.cluster),
                key,
                sent,
                sender: self.sender,
                epoch: self.epoch,
                counter,
            }
            .encode();
            *aead_tag = encrypt(cipher, header, self.cluster, message)?;
            Some(0..HEADER_LEN + len + AEAD_TAG_LEN)
        })
    }

    fn open<'a>(
        &self,
        datagram: &'a mut [u8],
        check: impl FnOnce(&Header) -> Result<(), Reject>,
    ) -> Result<(Header, &'a [u8]), Reject> {
        let header = Header::decode(datagram)?;
        if header.cluster != low_bits(self.cluster) {
            return Err(Reject::WrongCluster);
        }
        // A later epoch is that of another node with this node's id, which the engine has to hear of.
        if header.sender == self.sender && header.epoch <= self.epoch {
            return Err(Reject::Reflected);
        }
        check(&header)?;
        let truncated = Reject::Truncated;
        let (head, rest) = datagram.split_first_chunk_mut().ok_or(truncated)?;
        let (message, aead_tag) = rest.split_last_chunk_mut().ok_or(truncated)?;
        self.keyring
            .with(header.key, |cipher| {
                decrypt(cipher, head, self.cluster, message, aead_tag)
            })
            .ok_or(Reject::UnknownKey)??;
        Ok((header, message))
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer")
            .field("keyring", &self.keyring)
            .finish_non_exhaustive()
    }
}

fn encrypt(
    cipher: &XChaCha20Poly1305,
    header: &[u8; HEADER_LEN],
    cluster: u64,
    message: &mut [u8],
) -> Option<[u8; AEAD_TAG_LEN]> {
    let associated = associated_data(header, cluster);
    cipher
        .encrypt_inout_detached(&nonce(header).into(), &associated, message.into())
        .ok()
        .map(Into::into)
}

fn decrypt(
    cipher: &XChaCha20Poly1305,
    header: &[u8; HEADER_LEN],
    cluster: u64,
    message: &mut [u8],
    tag: &[u8; AEAD_TAG_LEN],
) -> Result<(), Reject> {
    let associated = associated_data(header, cluster);
    cipher
        .decrypt_inout_detached(
            &nonce(header).into(),
            &associated,
            message.into(),
            tag.into(),
        )
        .map_err(|_| Reject::Forged)
}

fn associated_data(header: &[u8; HEADER_LEN], cluster: u64) -> [u8; HEADER_LEN + 8] {
    let mut data = [0; HEADER_LEN + 8];
    data[..HEADER_LEN].copy_from_slice(header);
    data[HEADER_LEN..].copy_from_slice(&cluster.to_le_bytes());
    data
}

fn low_bits(cluster: u64) -> u16 {
    (cluster & 0xffff) as u16
}

#[cfg(test)]
mod tests;
