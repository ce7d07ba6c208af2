//! What both ends have seen of one handshake, and the proof of it.

use std::fmt;

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::cookie::Cookie;
use crate::event::Side;

/// Label of the key that proofs are made with.
const KEY_LABEL: &str = "shiome native handshake 1";

/// One handshake, the same at both ends if nobody has changed it on its way.
pub(crate) struct Transcript<'a> {
    pub(crate) client: End<'a>,
    pub(crate) server: End<'a>,
    pub(crate) connection_id: u64,
    /// Number of the status that the server sent.
    pub(crate) status: i32,
    /// Of the channel that the connection runs in; empty when there is none.
    pub(crate) channel_binding: &'a [u8],
}

/// What one end has said.
pub(crate) struct End<'a> {
    pub(crate) name: &'a str,
    pub(crate) connection_string: &'a str,
    /// As sent; empty when it announced nothing.
    pub(crate) hello: &'a [u8],
    pub(crate) challenge: u32,
}

impl Transcript<'_> {
    /// What an end that knows `cookie` and plays `role` proves it with.
    pub(crate) fn prove(&self, cookie: &Cookie, role: Side) -> ProofMac {
        let key = cookie.derive_key(KEY_LABEL);
        let mac = Hmac::<Sha256>::new_from_slice(&*key);
        let mac = mac.expect("HMAC takes keys of any length");
        let mac = mac.chain_update(self.bytes(role));
        ProofMac(mac.finalize().into_bytes().into())
    }

    /// Each item behind its length, so that no two transcripts give the same bytes. The role keeps a proof from
    /// serving the other end.
    fn bytes(&self, role: Side) -> Vec<u8> {
        let (client, server) = (&self.client, &self.server);
        let role: &[u8] = match role {
            Side::Client => b"client",
            Side::Server => b"server",
        };
        let items = [
            role,
            client.name.as_bytes(),
            client.connection_string.as_bytes(),
            &self.connection_id.to_be_bytes(),
            client.hello,
            &self.status.to_be_bytes(),
            server.name.as_bytes(),
            server.connection_string.as_bytes(),
            server.hello,
            &server.challenge.to_be_bytes(),
            &client.challenge.to_be_bytes(),
            self.channel_binding,
        ];
        let mut bytes = Vec::new();
        for item in items {
            bytes.extend((item.len() as u64).to_be_bytes());
            bytes.extend(item);
        }
        bytes
    }
}

/// Proof of one end. `Debug` does not show it: with the transcript, which is no secret, it is all that guessing the
/// cookie takes.
#[derive(Clone)]
pub(crate) struct ProofMac([u8; 32]);

impl ProofMac {
    /// Whether `received` is this proof. Takes the same time wherever they differ; a wrong length is just wrong.
    pub(crate) fn verify(&self, received: &[u8]) -> bool {
        self.0.ct_eq(received).into()
    }

    pub(crate) fn to_bytes(&self) -> Bytes {
        Bytes::copy_from_slice(&self.0)
    }
}

impl fmt::Debug for ProofMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProofMac(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transcript() -> Transcript<'static> {
        Transcript {
            client: End {
                name: "a@h",
                connection_string: "h:1",
                hello: &[1, 2, 3],
                challenge: 7,
            },
            server: End {
                name: "b@h",
                connection_string: "h:2",
                hello: &[4, 5],
                challenge: 42,
            },
            connection_id: 7,
            status: 0,
            channel_binding: &[],
        }
    }

    #[test]
    fn every_item_stands_behind_its_length() {
        let expected = "0000000000000006 636c69656e74
            0000000000000003 614068
            0000000000000003 683a31
            0000000000000008 0000000000000007
            0000000000000003 010203
            0000000000000004 00000000
            0000000000000003 624068
            0000000000000003 683a32
            0000000000000002 0405
            0000000000000004 0000002a
            0000000000000004 00000007
            0000000000000000";
        let expected: String = expected.split_whitespace().collect();
        assert_eq!(hex::encode(transcript().bytes(Side::Client)), expected);
    }

    #[test]
    fn whatever_differs_makes_another_proof() {
        type Change = fn(&mut Transcript<'static>);
        let changes: [Change; 14] = [
            |_| {},
            |t| t.client.name = "a@i",
            |t| t.client.connection_string = "h:3",
            |t| t.client.hello = &[],
            |t| t.client.hello = &[1, 2, 4],
            |t| t.client.challenge = 8,
            |t| t.server.name = "c@h",
            |t| t.server.connection_string = "",
            |t| t.server.hello = &[4],
            |t| t.server.challenge = 43,
            |t| t.connection_id = 8,
            |t| t.status = 1,
            |t| t.channel_binding = &[0; 32],
            // The same bytes in a row, parted elsewhere.
            |t| (t.client.name, t.client.connection_string) = ("a@hh", ":1"),
        ];
        let mut proofs = Vec::new();
        for change in changes {
            let mut changed = transcript();
            change(&mut changed);
            for cookie in ["cookie", "Cookie"] {
                for role in [Side::Client, Side::Server] {
                    proofs.push(changed.prove(&cookie.into(), role));
                }
            }
        }
        for (i, one) in proofs.iter().enumerate() {
            for (j, other) in proofs.iter().enumerate() {
                assert_eq!(one.verify(&other.to_bytes()), i == j, "{i} {j}");
            }
        }
    }

    #[test]
    fn verify_takes_all_the_bytes_and_nothing_else() {
        let proof = transcript().prove(&"cookie".into(), Side::Server);
        let right = proof.to_bytes();
        for bit in 0..right.len() * 8 {
            let mut wrong = right.to_vec();
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert!(!proof.verify(&wrong), "bit {bit} flipped");
        }
        assert!(!proof.verify(&[]));
        assert!(!proof.verify(&right[..31]));
        assert!(!proof.verify(&[&right[..], &[0]].concat()));
        assert_eq!(format!("{proof:?}"), "ProofMac(..)");
    }
}
