//! The bytes of messages, against the published layout.
#![allow(clippy::unwrap_used)]

use ractor::concurrency::oneshot;
use ractor::{Message, RpcReplyPort, port};
use shiome_derive::{BytesConvertable, RactorClusterMessage};
use shiome_derive_tests::{as_call, as_cast, call, cast, fields};

#[derive(Debug, RactorClusterMessage)]
#[allow(unused_qualifications)]
enum Sums {
    Reset,
    Add(u32),
    Name(u8, String),
    Move {
        y: i16,
        x: i16,
    },
    Nothing(),
    Empty {},
    At(Point),
    #[allow(non_camel_case_types)]
    r#type(bool),
    #[rpc]
    First(RpcReplyPort<u64>, u8, u16),
    #[rpc]
    Middle(u8, RpcReplyPort<u64>, u16),
    #[rpc]
    Last(u8, u16, RpcReplyPort<u64>),
    #[rpc]
    Named {
        a: u8,
        reply: port::RpcReplyPort<u64>,
        b: u16,
    },
    #[rpc]
    Only(RpcReplyPort<u64>),
}

#[derive(Debug, PartialEq, BytesConvertable)]
struct Point {
    x: u8,
    y: u8,
}

fn cast_bytes(message: Sums) -> (String, String) {
    let (variant, args) = as_cast(message.serialize().unwrap()).unwrap();
    (variant, hex::encode(args))
}

fn expect_cast(message: Sums, variant: &str, args: &str) {
    assert_eq!(
        cast_bytes(message),
        (variant.to_owned(), args.replace(' ', ""))
    );
}

#[test]
fn casts_are_variant_name_and_length_prefixed_fields() {
    expect_cast(Sums::Reset, "Reset", "");
    expect_cast(Sums::Add(7), "Add", "0000000000000004 00000007");
    expect_cast(
        Sums::Name(1, "ab".into()),
        "Name",
        "0000000000000001 01 0000000000000002 6162",
    );
    // Declaration order, not the order in which the value is written, nor that of the names.
    expect_cast(
        Sums::Move { x: 2, y: -1 },
        "Move",
        "0000000000000002 ffff 0000000000000002 0002",
    );
    expect_cast(Sums::Nothing(), "Nothing", "");
    expect_cast(Sums::Empty {}, "Empty", "");
    expect_cast(
        Sums::At(Point { x: 3, y: 4 }),
        "At",
        "0000000000000012 0000000000000001 03 0000000000000001 04",
    );
}

#[test]
fn the_variant_name_travels_as_written() {
    expect_cast(Sums::r#type(true), "r#type", "0000000000000001 01");
    assert!(Sums::deserialize(cast("r#type", &fields(&[&[1]]))).is_ok());
    assert!(Sums::deserialize(cast("type", &fields(&[&[1]]))).is_err());
}

#[tokio::test]
async fn the_reply_port_is_not_encoded_wherever_it_stands() {
    let port = || RpcReplyPort::from(oneshot().0);
    let calls = [
        ("First", Sums::First(port(), 1, 2)),
        ("Middle", Sums::Middle(1, port(), 2)),
        ("Last", Sums::Last(1, 2, port())),
        (
            "Named",
            Sums::Named {
                a: 1,
                reply: port(),
                b: 2,
            },
        ),
    ];
    for (name, message) in calls {
        let (variant, args, _) = as_call(message.serialize().unwrap()).unwrap();
        assert_eq!(variant, name);
        assert_eq!(args, fields(&[&[1], &[0, 2]]));
    }
    let (variant, args, _) = as_call(Sums::Only(port()).serialize().unwrap()).unwrap();
    assert_eq!((variant.as_str(), args.as_slice()), ("Only", &[][..]));
}

#[tokio::test]
async fn calls_decode_wherever_the_port_stands() {
    let args = fields(&[&[1], &[0, 2]]);
    for name in ["First", "Middle", "Last", "Named"] {
        let (message, answer) = call(name, &args);
        let port = match Sums::deserialize(message).unwrap() {
            Sums::First(port, 1, 2)
            | Sums::Middle(1, port, 2)
            | Sums::Last(1, 2, port)
            | Sums::Named {
                a: 1,
                reply: port,
                b: 2,
            } => port,
            other => panic!("{name} became {other:?}"),
        };
        port.send(258).unwrap();
        // The value alone, without a length.
        assert_eq!(hex::encode(answer.await.unwrap()), "0000000000000102");
    }
}

#[test]
fn casts_decode_to_what_was_sent() {
    let decode = |message: Sums| Sums::deserialize(message.serialize().unwrap()).unwrap();
    assert!(matches!(decode(Sums::Reset), Sums::Reset));
    assert!(matches!(decode(Sums::Add(7)), Sums::Add(7)));
    assert!(matches!(decode(Sums::Name(1, "ab".into())), Sums::Name(1, name) if name == "ab"));
    assert!(matches!(
        decode(Sums::Move { x: 2, y: -1 }),
        Sums::Move { x: 2, y: -1 }
    ));
    assert!(matches!(decode(Sums::Nothing()), Sums::Nothing()));
    assert!(matches!(decode(Sums::Empty {}), Sums::Empty {}));
    let point = Point { x: 3, y: 4 };
    assert!(matches!(
        decode(Sums::At(Point { x: 3, y: 4 })),
        Sums::At(got) if got == point
    ));
}

#[test]
fn metadata_of_other_senders_is_ignored() {
    let message = ractor::message::SerializedMessage::Cast {
        variant: "Add".to_owned(),
        args: fields(&[&[0, 0, 0, 7]]),
        metadata: Some(vec![1, 2, 3]),
    };
    assert!(matches!(Sums::deserialize(message), Ok(Sums::Add(7))));
}

#[test]
fn the_message_may_travel() {
    assert!(Sums::serializable());
}
