//! Types whose conversions were written by hand: their panics stay inside.
#![allow(clippy::unwrap_used)]

use ractor::concurrency::oneshot;
use ractor::{BytesConvertable, Message, RpcReplyPort};
use shiome_derive::RactorClusterMessage;
use shiome_derive_tests::{as_cast, cast, count_panics, fields};

/// An even number; the conversions panic for any other.
#[derive(Debug)]
struct Even(u8);

impl BytesConvertable for Even {
    fn into_bytes(self) -> Vec<u8> {
        assert!(self.0.is_multiple_of(2), "odd");
        vec![self.0]
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        assert!(bytes[0].is_multiple_of(2), "odd");
        Self(bytes[0])
    }
}

/// Knows bad bytes without a panic, and says so where the derive looks for it.
#[derive(Debug)]
struct Odd(u8);

impl Odd {
    fn __cluster_decode(bytes: Vec<u8>) -> Result<Self, &'static str> {
        match bytes[..] {
            [number] if !number.is_multiple_of(2) => Ok(Self(number)),
            _ => Err("even"),
        }
    }
}

impl BytesConvertable for Odd {
    fn into_bytes(self) -> Vec<u8> {
        vec![self.0]
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        Self::__cluster_decode(bytes).unwrap()
    }
}

#[derive(Debug, RactorClusterMessage)]
enum Numbers {
    Even(Even),
    Odd(Odd),
    #[rpc]
    Next(Even, RpcReplyPort<u8>),
}

#[test]
fn good_values_travel() {
    let (_, args) = as_cast(Numbers::Even(Even(2)).serialize().unwrap()).unwrap();
    assert_eq!(args, fields(&[&[2]]));
    let arrived = Numbers::deserialize(cast("Even", &args));
    assert!(matches!(arrived, Ok(Numbers::Even(Even(2)))));
    let sent = Numbers::Odd(Odd(3)).serialize().unwrap();
    assert!(matches!(
        Numbers::deserialize(sent),
        Ok(Numbers::Odd(Odd(3)))
    ));
}

#[test]
fn a_panic_while_decoding_is_an_error() {
    let (result, panics) = count_panics(|| Numbers::deserialize(cast("Even", &fields(&[&[1]]))));
    assert!(result.is_err());
    assert_eq!(panics, 1);
    let (result, _) = count_panics(|| Numbers::deserialize(cast("Even", &fields(&[&[]]))));
    assert!(result.is_err());
}

#[test]
fn a_panic_while_encoding_is_an_error() {
    let (result, panics) = count_panics(|| Numbers::Even(Even(1)).serialize());
    assert!(result.is_err());
    assert_eq!(panics, 1);
}

#[tokio::test]
async fn a_panic_while_encoding_a_call_drops_its_port() {
    let (sender, answer) = oneshot();
    assert!(Numbers::Next(Even(1), sender.into()).serialize().is_err());
    assert!(answer.await.is_err());
}

#[test]
fn a_checked_decoder_is_preferred_to_the_one_that_panics() {
    let (result, panics) = count_panics(|| Numbers::deserialize(cast("Odd", &fields(&[&[2]]))));
    assert!(result.is_err());
    assert_eq!(panics, 0);
}
