//! The trailer of authenticated clusters, as `ember-cluster` 0.4.9 writes it.
//!
//! | offset | bytes | field                                                                |
//! |--------|-------|----------------------------------------------------------------------|
//! | 0      | n     | message and extension                                                |
//! | n      | 32    | HMAC-SHA256 of the n bytes before, keyed with the cluster's password |
//!
//! A node of such a cluster drops what does not bear it. There is no nonce and no time in it, so an old datagram
//! bears it as well as a new one.

use core::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use thiserror::Error;

use crate::{error::EncodeError, limits::MAX_DATAGRAM_LEN};

/// Length of the trailer, in bytes.
pub const TAG_LEN: usize = 32;

/// The password of an authenticated cluster.
#[derive(Clone)]
pub struct Secret {
    /// With the key taken in, so that a datagram does not cost that again.
    keyed: Hmac<Sha256>,
}

/// The password is empty, which would authenticate everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("empty cluster password")]
pub struct EmptyPassword;

/// A datagram is not from a node that knows the password. Drop it without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AuthError {
    /// It is too short to bear a tag.
    #[error("datagram too short for its tag")]
    TooShort,
    /// It is longer than [`MAX_DATAGRAM_LEN`]; nothing was computed.
    #[error("datagram too long")]
    TooLong,
    /// The tag is another.
    #[error("wrong tag")]
    WrongTag,
}

impl Secret {
    /// Takes the password as bytes, of any length.
    ///
    /// # Errors
    ///
    /// [`EmptyPassword`] when there are none.
    pub fn new(password: impl AsRef<[u8]>) -> Result<Self, EmptyPassword> {
        let password = password.as_ref();
        if password.is_empty() {
            return Err(EmptyPassword);
        }
        let keyed = Hmac::new_from_slice(password).expect("HMAC takes keys of any length");
        Ok(Self { keyed })
    }

    /// Returns what stands before the tag, if the tag is right. Compares in constant time.
    ///
    /// # Errors
    ///
    /// [`AuthError`] when it is not.
    pub fn open<'a>(&self, datagram: &'a [u8]) -> Result<&'a [u8], AuthError> {
        if datagram.len() > MAX_DATAGRAM_LEN {
            return Err(AuthError::TooLong);
        }
        let Some((signed, tag)) = datagram.split_last_chunk::<TAG_LEN>() else {
            return Err(AuthError::TooShort);
        };
        let mac = self.keyed.clone().chain_update(signed);
        match mac.verify(tag.into()) {
            Ok(()) => Ok(signed),
            Err(_) => Err(AuthError::WrongTag),
        }
    }

    /// Writes the tag of the first `len` bytes of `buf` behind them, and returns the length with the tag.
    ///
    /// To keep room for the tag, give the message and its extension [`TAG_LEN`] bytes less.
    ///
    /// # Errors
    ///
    /// [`EncodeError::NoRoom`] when `buf` or a datagram is too short for the tag. `buf` is unchanged.
    pub fn seal(&self, buf: &mut [u8], len: usize) -> Result<usize, EncodeError> {
        let (signed, rest) = buf.split_at_mut_checked(len).ok_or(EncodeError::NoRoom)?;
        let tag = rest
            .first_chunk_mut::<TAG_LEN>()
            .ok_or(EncodeError::NoRoom)?;
        if len + TAG_LEN > MAX_DATAGRAM_LEN {
            return Err(EncodeError::NoRoom);
        }
        let mac = self.keyed.clone().chain_update(signed);
        *tag = mac.finalize().into_bytes().into();
        Ok(len + TAG_LEN)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    fn secret() -> Secret {
        Secret::new("hunter2").unwrap()
    }

    /// RFC 4231, test cases 1, 2, 3 and 6: keys shorter and longer than a block.
    #[test]
    fn the_tag_is_hmac_sha256() {
        for (key, data, tag) in [
            (
                &[0x0b; 20][..],
                &b"Hi There"[..],
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 20],
                &[0xdd; 50],
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            ),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ] {
            let mut buf = [0; 100];
            buf[..data.len()].copy_from_slice(data);
            let len = Secret::new(key).unwrap().seal(&mut buf, data.len());
            assert_eq!(len, Ok(data.len() + TAG_LEN));
            assert_eq!(hex::encode(&buf[data.len()..data.len() + TAG_LEN]), tag);
        }
    }

    #[test]
    fn nothing_but_the_whole_datagram_opens() {
        let mut buf = [7; 40];
        let len = secret().seal(&mut buf, 8).unwrap();
        assert_eq!(secret().open(&buf[..len]), Ok(&[7; 8][..]));
        for bit in 0..len * 8 {
            buf[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(secret().open(&buf[..len]), Err(AuthError::WrongTag));
            buf[bit / 8] ^= 1 << (bit % 8);
        }
        for cut in 0..len {
            let expected = match cut {
                ..TAG_LEN => AuthError::TooShort,
                _ => AuthError::WrongTag,
            };
            assert_eq!(secret().open(&buf[..cut]), Err(expected));
        }
        let other = Secret::new("hunter3").unwrap();
        assert_eq!(other.open(&buf[..len]), Err(AuthError::WrongTag));
    }

    #[test]
    fn a_tag_without_room_is_not_written() {
        let mut buf = [7; 39];
        assert_eq!(secret().seal(&mut buf, 8), Err(EncodeError::NoRoom));
        assert_eq!(secret().seal(&mut buf, 40), Err(EncodeError::NoRoom));
        assert_eq!(
            secret().seal(&mut buf, usize::MAX),
            Err(EncodeError::NoRoom)
        );
        assert_eq!(buf, [7; 39]);

        let mut long = [0; MAX_DATAGRAM_LEN + 1];
        let room = MAX_DATAGRAM_LEN - TAG_LEN;
        assert_eq!(secret().seal(&mut long, room + 1), Err(EncodeError::NoRoom));
        assert_eq!(secret().seal(&mut long, room), Ok(MAX_DATAGRAM_LEN));
        assert!(secret().open(&long[..MAX_DATAGRAM_LEN]).is_ok());
        assert_eq!(secret().open(&long), Err(AuthError::TooLong));
    }

    #[test]
    fn an_empty_password_is_refused_and_none_is_printed() {
        assert_eq!(Secret::new("").unwrap_err(), EmptyPassword);
        assert_eq!(std::format!("{:?}", secret()), "Secret { .. }");
    }
}
