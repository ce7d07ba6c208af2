use std::fmt;

use md5::Md5;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use crate::cookie::Cookie;

/// How a challenge is answered. All nodes of a cluster use the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum DigestScheme {
    /// SHA-256 of the challenge (4 bytes, big-endian) followed by the cookie: what published nodes compute.
    #[default]
    Sha256,
    /// MD5 of the cookie followed by the challenge in decimal, as in Erlang's `gen_digest`
    /// (`erl_dist_protocol`: send_challenge_reply). No published `ractor_cluster` computes it.
    Md5,
}

impl DigestScheme {
    /// The answer of one who knows `cookie` to `challenge`.
    pub fn digest(self, cookie: &Cookie, challenge: u32) -> Digest {
        match self {
            Self::Sha256 => {
                let hash = Sha256::new()
                    .chain_update(challenge.to_be_bytes())
                    .chain_update(cookie.as_bytes());
                Digest(Bytes::Sha256(hash.finalize().into()))
            }
            Self::Md5 => {
                let hash = Md5::new()
                    .chain_update(cookie.as_bytes())
                    .chain_update(challenge.to_string());
                Digest(Bytes::Md5(hash.finalize().into()))
            }
        }
    }
}

/// Answer to a challenge.
///
/// `Debug` does not show it, because a digest together with its challenge is all that guessing the cookie takes.
#[derive(Clone)]
pub struct Digest(Bytes);

#[derive(Clone)]
enum Bytes {
    Sha256([u8; 32]),
    Md5([u8; 16]),
}

impl Digest {
    /// Whether `received` is this digest. Takes the same time wherever they differ; a wrong length is just wrong.
    #[must_use]
    pub fn verify(&self, received: &[u8]) -> bool {
        self.as_ref().ct_eq(received).into()
    }
}

impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        match &self.0 {
            Bytes::Sha256(bytes) => bytes,
            Bytes::Md5(bytes) => bytes,
        }
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA256: &str = "143e00d9d3b31d9d24452f85ac04448953081a02ed02272e592c5b13cd422ef7";
    const MD5: &str = "bc4b5e3f17073012aea742a22f5e1b6a";

    #[test]
    fn digests_are_those_of_published_nodes_and_of_erlang() {
        let cookie = Cookie::new("cookie");
        let hex = |scheme: DigestScheme| hex::encode(scheme.digest(&cookie, 42));
        assert_eq!(hex(DigestScheme::default()), SHA256);
        assert_eq!(hex(DigestScheme::Md5), MD5);
    }

    #[test]
    fn verify_takes_all_the_bytes_and_nothing_else() {
        for scheme in [DigestScheme::Sha256, DigestScheme::Md5] {
            let digest = scheme.digest(&Cookie::new("cookie"), 42);
            let right = digest.as_ref().to_vec();
            assert!(digest.verify(&right));
            for bit in 0..right.len() * 8 {
                let mut wrong = right.clone();
                wrong[bit / 8] ^= 1 << (bit % 8);
                assert!(!digest.verify(&wrong), "bit {bit} flipped");
            }
            assert!(!digest.verify(&[]));
            assert!(!digest.verify(&right[..right.len() - 1]));
            assert!(!digest.verify(&[&right[..], &[0]].concat()));
        }
    }

    #[test]
    fn challenge_and_cookie_both_count() {
        let digest = DigestScheme::Sha256.digest(&Cookie::new("cookie"), 42);
        let verifies = |cookie: &str, challenge| {
            digest.verify(
                DigestScheme::Sha256
                    .digest(&cookie.into(), challenge)
                    .as_ref(),
            )
        };
        assert!(verifies("cookie", 42));
        assert!(!verifies("cookie", 43));
        assert!(!verifies("Cookie", 42));
        assert!(!verifies("", 42));
    }
}
