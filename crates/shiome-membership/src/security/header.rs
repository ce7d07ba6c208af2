use sha2::{Digest, Sha256};
use shiome_gossip::NodeId;

use super::{Reject, key::KeyId};

/// Bytes before what is encrypted.
pub(crate) const HEADER_LEN: usize = 36;

/// The first byte of an encrypted gossip datagram. Messages in the clear start with bytes up to 0x7f.
pub(crate) const DATAGRAM_TAG: u8 = 0x80;

/// The first byte of an encrypted message of a reliable ping, so that neither passes for the other.
pub(crate) const PING_TAG: u8 = 0x81;

const VERSION: u8 = 1;

/// Where the nonce stands: sender, epoch and counter.
const NONCE: std::ops::Range<usize> = 12..36;

/// What an encrypted datagram says in the clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) tag: u8,
    /// Low bits of the cluster's id.
    pub(crate) cluster: u16,
    pub(crate) key: KeyId,
    /// When it was sent, in seconds of Unix time.
    pub(crate) sent: u32,
    pub(crate) sender: SenderId,
    /// Greater after each start of the sender.
    pub(crate) epoch: u64,
    /// Number of the datagram within the epoch.
    pub(crate) counter: u64,
}

impl Header {
    pub(crate) fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        let mut rest = &mut bytes[..];
        let mut put = |part: &[u8]| {
            let (here, after) = std::mem::take(&mut rest).split_at_mut(part.len());
            here.copy_from_slice(part);
            rest = after;
        };
        put(&[self.tag, VERSION]);
        put(&self.cluster.to_le_bytes());
        put(&self.key.0.to_le_bytes());
        put(&self.sent.to_le_bytes());
        put(&self.sender.0);
        put(&self.epoch.to_le_bytes());
        put(&self.counter.to_le_bytes());
        bytes
    }

    /// Reads the header of a datagram whose first byte is one of the tags.
    pub(crate) fn decode(datagram: &[u8]) -> Result<Self, Reject> {
        let bytes: &[u8; HEADER_LEN] = datagram.first_chunk().ok_or(Reject::Truncated)?;
        let mut rest = &bytes[..];
        let [tag, version] = take(&mut rest);
        if version != VERSION {
            return Err(Reject::UnknownVersion);
        }
        Ok(Self {
            tag,
            cluster: u16::from_le_bytes(take(&mut rest)),
            key: KeyId(u32::from_le_bytes(take(&mut rest))),
            sent: u32::from_le_bytes(take(&mut rest)),
            sender: SenderId(take(&mut rest)),
            epoch: u64::from_le_bytes(take(&mut rest)),
            counter: u64::from_le_bytes(take(&mut rest)),
        })
    }
}

/// The nonce that a header holds.
pub(crate) fn nonce(header: &[u8; HEADER_LEN]) -> [u8; 24] {
    let mut nonce = [0; 24];
    nonce.copy_from_slice(&header[NONCE]);
    nonce
}

/// The next `N` bytes of a header, which is as long as all its fields.
fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let (here, after) = rest
        .split_first_chunk()
        .expect("the fields fill the header exactly");
    *rest = after;
    *here
}

/// Who sent a datagram: the first eight bytes of SHA-256 over `shiome gossip sender 1` and the node's id, which is thus
/// not told in the clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SenderId(pub(crate) [u8; 8]);

impl SenderId {
    pub(crate) fn of(node: &NodeId) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"shiome gossip sender 1");
        hash.update(node.as_bytes());
        let hash: [u8; 32] = hash.finalize().into();
        let mut id = [0; 8];
        id.copy_from_slice(&hash[..8]);
        Self(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            tag: DATAGRAM_TAG,
            cluster: 0x0201,
            key: KeyId(0x0605_0403),
            sent: 0x0a09_0807,
            sender: SenderId([0x11; 8]),
            epoch: 0x0102_0304_0506_0708,
            counter: 9,
        }
    }

    #[test]
    fn the_layout_is_as_documented() {
        let bytes = header().encode();
        assert_eq!(
            hex::encode(bytes),
            "8001 0102 03040506 0708090a 1111111111111111 0807060504030201 0900000000000000"
                .replace(' ', "")
        );
        assert_eq!(Header::decode(&bytes), Ok(header()));
        assert_eq!(nonce(&bytes)[..8], [0x11; 8]);
        assert_eq!(nonce(&bytes)[16], 9);
    }

    #[test]
    fn short_and_later_headers_are_refused() {
        let mut bytes = header().encode();
        for len in 0..HEADER_LEN {
            assert_eq!(Header::decode(&bytes[..len]), Err(Reject::Truncated));
        }
        bytes[1] = 2;
        assert_eq!(Header::decode(&bytes), Err(Reject::UnknownVersion));
    }

    #[test]
    fn senders_are_told_apart() {
        let [a, b] = [1, 2].map(|byte| SenderId::of(&NodeId::from([byte; 16])));
        assert_ne!(a, b);
    }
}
