//! Bytes that are no message end in an error, and no panic starts on the way.

use proptest::prelude::*;
use ractor::Message;
use ractor::RpcReplyPort;
use ractor::message::{BoxedDowncastErr, SerializedMessage};
use shiome_derive::{BytesConvertable, RactorClusterMessage};
use shiome_derive_tests::{call, cast, count_panics, fields};

#[derive(Debug, RactorClusterMessage)]
enum Inbox {
    Unit,
    EmptyTuple(),
    EmptyStruct {},
    One(u32),
    Two(u8, Vec<u8>),
    Named {
        text: String,
        letter: char,
    },
    Flag(bool),
    Letters(Vec<char>),
    Nothing(()),
    Nested(Outer),
    Wide(i8, i16, i64, i128, u16, u64, u128, f32, f64),
    #[rpc]
    Ask(RpcReplyPort<u8>),
    #[rpc]
    Find(String, RpcReplyPort<Outer>),
}

#[derive(Debug, PartialEq, BytesConvertable)]
struct Outer {
    inner: Inner,
    count: u32,
}

#[derive(Debug, PartialEq, BytesConvertable)]
enum Inner {
    Off,
    On(char),
}

type Answer = ractor::concurrency::OneshotReceiver<Vec<u8>>;

fn judge(message: SerializedMessage) -> Result<Inbox, BoxedDowncastErr> {
    let (result, panics) = count_panics(|| Inbox::deserialize(message));
    assert_eq!(panics, 0, "the result is {result:?}");
    result
}

fn refuse_cast(variant: &str, args: &[u8]) {
    let result = judge(cast(variant, args));
    assert!(result.is_err(), "{variant} became {result:?}");
}

/// Nothing may be left that could still answer: the caller learns at once.
fn refuse_call(variant: &str, args: &[u8]) {
    let (message, mut answer): (_, Answer) = call(variant, args);
    let result = judge(message);
    assert!(result.is_err(), "{variant} became {result:?}");
    let closed = tokio::sync::oneshot::error::TryRecvError::Closed;
    assert_eq!(answer.try_recv(), Err(closed));
}

#[test]
fn unknown_variants() {
    for name in ["", "one", "One ", "Onee", "Unit\0", "\u{1f980}"] {
        refuse_cast(name, &fields(&[&[0; 4]]));
        refuse_call(name, &[]);
    }
}

#[test]
fn the_wrong_kind_of_message() {
    refuse_cast("Ask", &[]);
    refuse_cast("Find", &fields(&[b"x"]));
    refuse_call("Unit", &[]);
    refuse_call("One", &fields(&[&[0; 4]]));
    assert!(judge(SerializedMessage::CallReply(1, Vec::new())).is_err());
}

#[test]
fn data_for_a_variant_without_fields() {
    for name in ["Unit", "EmptyTuple", "EmptyStruct"] {
        assert!(judge(cast(name, &[])).is_ok());
        refuse_cast(name, &[0]);
        refuse_cast(name, &fields(&[&[]]));
    }
    refuse_call("Ask", &[0]);
    refuse_call("Ask", &fields(&[&[]]));
}

#[test]
fn every_cut_of_a_good_message() {
    let wide = fields(&[
        &[1; 1], &[2; 2], &[3; 8], &[4; 16], &[5; 2], &[6; 8], &[7; 16], &[8; 4], &[9; 8],
    ]);
    let nested = fields(&[&fields(&[&fields(&[b"On", &[0, 0, 0, 65]]), &[0; 4]])]);
    let good = [
        ("One", fields(&[&[0; 4]])),
        ("Two", fields(&[&[0], &[1, 2, 3]])),
        ("Named", fields(&[b"abc", &[0, 0, 0, 65]])),
        ("Wide", wide),
        ("Nested", nested),
    ];
    for (name, args) in good {
        assert!(judge(cast(name, &args)).is_ok(), "{name}");
        for end in 0..args.len() {
            refuse_cast(name, &args[..end]);
        }
    }
}

#[test]
fn bytes_left_over() {
    refuse_cast("One", &[fields(&[&[0; 4]]), vec![0]].concat());
    refuse_cast("One", &fields(&[&[0; 4], &[]]));
    refuse_cast("Two", &fields(&[&[0], &[], &[]]));
    refuse_call("Find", &fields(&[b"x", b"y"]));
}

#[test]
fn lengths_that_lie() {
    let lies = [
        5,
        u64::from(u32::MAX),
        1 << 40,
        i64::MAX as u64,
        u64::MAX - 8,
        u64::MAX - 7,
        u64::MAX - 3,
        u64::MAX,
    ];
    for length in lies {
        let mut args = length.to_be_bytes().to_vec();
        args.extend([0; 4]);
        refuse_cast("One", &args);
        refuse_cast("Named", &args);
        refuse_call("Find", &args);
        // The same as the second field.
        refuse_cast("Two", &[fields(&[&[0]]), args.clone()].concat());
        // The same inside a derived value, as a field and as a variant's name.
        refuse_cast("Nested", &fields(&[&args]));
        refuse_cast("Nested", &fields(&[&fields(&[&args, &[0; 4]])]));
    }
}

#[test]
fn numbers_that_are_too_short() {
    let widths = [1, 2, 8, 16, 2, 8, 16, 4, 8];
    let parts: Vec<Vec<u8>> = widths.iter().map(|width| vec![1; *width]).collect();
    for short in 0..widths.len() {
        let mut parts = parts.clone();
        parts[short].pop();
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        refuse_cast("Wide", &fields(&parts));
    }
    refuse_cast("One", &fields(&[&[0; 3]]));
    refuse_cast("Flag", &fields(&[&[]]));
}

#[test]
fn text_that_is_no_text() {
    refuse_cast("Named", &fields(&[&[0xff], &[0, 0, 0, 65]]));
    refuse_cast(
        "Named",
        &fields(&["\u{e9}".as_bytes().split_at(1).0, &[0; 4]]),
    );
    refuse_call("Find", &fields(&[&[0xc0, 0x80]]));
    for scalar in [0xd800_u32, 0xdfff, 0x11_0000, u32::MAX] {
        let raw = scalar.to_be_bytes();
        refuse_cast("Named", &fields(&[b"a", &raw]));
        refuse_cast("Letters", &fields(&[&[[0, 0, 0, 65], raw].concat()]));
    }
    refuse_cast("Named", &fields(&[b"a", &[0, 0, 65]]));
}

#[test]
fn what_the_layout_lets_pass() {
    // A number takes its first bytes, a list its whole elements, a flag is set by one alone.
    assert!(matches!(
        judge(cast("One", &fields(&[&[0, 0, 0, 7, 9]]))),
        Ok(Inbox::One(7))
    ));
    assert!(matches!(
        judge(cast("Letters", &fields(&[&[0, 0, 0, 65, 0, 0]]))),
        Ok(Inbox::Letters(letters)) if letters == ['A']
    ));
    assert!(matches!(
        judge(cast("Flag", &fields(&[&[2]]))),
        Ok(Inbox::Flag(false))
    ));
    assert!(matches!(
        judge(cast("Nothing", &fields(&[b"anything"]))),
        Ok(Inbox::Nothing(()))
    ));
}

#[test]
fn bad_bytes_inside_derived_values() {
    let outer = |inner: &[u8]| fields(&[&fields(&[inner, &[0; 4]])]);
    assert!(judge(cast("Nested", &outer(&fields(&[b"Off"])))).is_ok());
    refuse_cast("Nested", &outer(&[]));
    refuse_cast("Nested", &outer(&fields(&[b"Unknown"])));
    refuse_cast("Nested", &outer(&fields(&[&[0xff]])));
    refuse_cast("Nested", &outer(&fields(&[b"Off", &[]])));
    refuse_cast("Nested", &outer(&fields(&[b"On"])));
    refuse_cast("Nested", &outer(&fields(&[b"On", &[0, 0, 0xd8, 0]])));
    refuse_cast(
        "Nested",
        &fields(&[&fields(&[&fields(&[b"Off"]), &[0; 3]])]),
    );
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(index in 0..VARIANTS.len(), args: Vec<u8>) {
        let (_, panics) = count_panics(|| Inbox::deserialize(cast(VARIANTS[index], &args)));
        prop_assert_eq!(panics, 0);
    }

    /// Lengths that add up, with any content: these reach the fields' own decoders.
    #[test]
    fn no_fields_make_it_panic(
        index in 0..VARIANTS.len(),
        parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..10),
    ) {
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        for args in [fields(&parts), fields(&[&fields(&parts)])] {
            let (_, panics) = count_panics(|| Inbox::deserialize(cast(VARIANTS[index], &args)));
            prop_assert_eq!(panics, 0);
        }
    }
}

const VARIANTS: [&str; 9] = [
    "Unit", "One", "Two", "Named", "Flag", "Letters", "Nothing", "Nested", "Wide",
];
