//! Built-in types may have another layout (ractor's feature `blanket_serde`): the checks of the classic one are off.
#![allow(clippy::unwrap_used)]

use ractor::Message;
use shiome_derive::RactorClusterMessage;
use shiome_derive_tests::{as_cast, cast, count_panics, fields};

/// ractor with numbers as decimal text.
mod decimal {
    pub(crate) use ractor::{Message, message};

    pub(crate) trait BytesConvertable {
        fn into_bytes(self) -> Vec<u8>;
        fn from_bytes(bytes: Vec<u8>) -> Self;
    }

    impl<T: ToString + std::str::FromStr> BytesConvertable for T {
        fn into_bytes(self) -> Vec<u8> {
            self.to_string().into_bytes()
        }

        fn from_bytes(bytes: Vec<u8>) -> Self {
            let text = String::from_utf8(bytes).unwrap();
            text.parse().ok().unwrap()
        }
    }
}

#[derive(Debug, RactorClusterMessage)]
#[cluster(crate = decimal)]
enum Count {
    Wide(u64),
    Letter(char),
}

#[test]
fn values_that_the_classic_layout_would_refuse_travel() {
    let (_, args) = as_cast(Count::Wide(7).serialize().unwrap()).unwrap();
    assert_eq!(args, fields(&[b"7"]));
    let arrived = Count::deserialize(cast("Wide", &args));
    assert!(matches!(arrived, Ok(Count::Wide(7))));
    let arrived = Count::deserialize(cast("Letter", &fields(&[b"a"])));
    assert!(matches!(arrived, Ok(Count::Letter('a'))));
}

#[test]
fn values_that_the_classic_layout_would_let_pass_are_refused() {
    let eight = cast("Wide", &fields(&[&[0xff; 8]]));
    let (result, panics) = count_panics(|| Count::deserialize(eight));
    assert!(result.is_err());
    assert_eq!(panics, 1);
}
