extern crate std;
use std::{vec, vec::Vec};

use super::*;
use crate::{DecodeErrorKind, EncodeError, NodeId};

fn all_fields() -> Vec<Field> {
    vec![
        Field::Capabilities(Capabilities::NACK | Capabilities::from_bits(1 << 63)),
        Field::ClusterId(0x0102_0304_0506_0708),
        Field::Incarnation(5),
        Field::Suspector {
            update: 1,
            node: NodeId::from([7; 16]),
        },
        Field::LocalHealth(8),
        Field::Nack,
        Field::Digest {
            members: 3,
            hash: 9,
        },
        Field::Address(([127, 0, 0, 1], 6379).into()),
        Field::Address(([0u16; 8], 6379).into()),
    ]
}

fn packed(fields: &[Field]) -> Vec<u8> {
    let mut buf = vec![0xff; 1400];
    let mut packer = ExtensionPacker::new(&mut buf);
    fields.iter().for_each(|field| packer.push(field).unwrap());
    let len = packer.finish();
    buf.truncate(len);
    buf
}

fn read(bytes: &[u8]) -> Result<Option<Extension<'_>>, DecodeError> {
    Extension::read(Reader::new(bytes).unwrap())
}

fn fields(bytes: &[u8]) -> Vec<Result<Field, DecodeError>> {
    read(bytes).unwrap().unwrap().iter().collect()
}

fn only_error(bytes: &[u8]) -> (usize, DecodeErrorKind) {
    let fields = fields(bytes);
    let [Err(error)] = fields[..] else {
        panic!("{fields:?}");
    };
    (error.offset(), error.kind())
}

#[test]
fn every_field_comes_back_and_is_as_long_as_it_says() {
    let expected = all_fields();
    let bytes = packed(&expected);
    let decoded: Result<Vec<_>, _> = fields(&bytes).into_iter().collect();
    assert_eq!(decoded.unwrap(), expected);
    let len: usize = expected.iter().map(Field::encoded_len).sum();
    assert_eq!(bytes.len(), EXTENSION_HEADER_LEN + len);
}

#[test]
fn the_bytes_are_those_of_the_table() {
    let suspector = Field::Suspector {
        update: 2,
        node: NodeId::from([9; 16]),
    };
    let bytes = packed(&[Field::LocalHealth(3), suspector, Field::Nack]);
    let expected =
        "73 68 | 01 | 1900 | 05 01 03 | 04 12 0200 09090909090909090909090909090909 | 06 00";
    assert_eq!(
        bytes,
        hex::decode(expected.replace([' ', '|'], "")).unwrap()
    );
}

#[test]
fn no_field_is_no_extension() {
    assert_eq!(packed(&[]), []);
    assert!(read(&[]).unwrap().is_none());
}

#[test]
fn what_is_something_else_is_no_extension() {
    for other in [
        &b"s"[..],
        b"sg\x01\0\0",
        b"hs\x01\0\0",
        b"sh\x02\xff\xff",
        b"sh\0",
    ] {
        assert!(read(other).unwrap().is_none(), "{other:?}");
    }
}

#[test]
fn an_extension_cut_short_is_an_error_at_every_length() {
    let bytes = packed(&all_fields());
    for len in 2..bytes.len() {
        let error = read(&bytes[..len]).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::Truncated, "{len}");
    }
}

#[test]
fn unknown_fields_and_what_follows_the_block_are_skipped() {
    let bytes = b"sh\x01\x07\0\xfe\x02\x05\x01\x05\x01\x03\x05\x01\x04";
    assert_eq!(fields(bytes), [Ok(Field::LocalHealth(3))]);
}

#[test]
fn a_known_field_of_another_length_ends_the_block() {
    for (bytes, tag, len) in [
        (&b"sh\x01\x06\0\x05\x02\x03\x04\x06\x00"[..], 5, 2),
        (b"sh\x01\x04\0\x05\x00\x06\x00", 5, 0),
        (b"sh\x01\x03\0\x06\x01\x00", 6, 1),
        (b"sh\x01\x09\0\x08\x07\x06\x01\x02\x03\x04\x05\x06", 8, 7),
    ] {
        let kind = DecodeErrorKind::InvalidFieldLen { tag, len };
        assert_eq!(only_error(bytes), (5, kind));
    }
}

#[test]
fn a_field_does_not_reach_beyond_the_block() {
    let bytes = b"sh\x01\x02\0\x05\x01\x03";
    assert_eq!(only_error(bytes), (7, DecodeErrorKind::Truncated));
    let bytes = b"sh\x01\x01\0\x05\x01\x03";
    assert_eq!(only_error(bytes), (6, DecodeErrorKind::Truncated));
    let bytes = b"sh\x01\x03\0\x08\x01\x05";
    assert_eq!(
        only_error(bytes),
        (7, DecodeErrorKind::UnknownAddressFamily(5))
    );
}

#[test]
fn a_field_without_room_leaves_the_others() {
    let mut buf = [0; EXTENSION_HEADER_LEN + 3 + 2];
    let mut packer = ExtensionPacker::new(&mut buf);
    let incarnation = Field::Incarnation(1);
    assert_eq!(packer.push(&incarnation), Err(EncodeError::NoRoom));
    packer.push(&Field::LocalHealth(3)).unwrap();
    assert_eq!(packer.push(&incarnation), Err(EncodeError::NoRoom));
    packer.push(&Field::Nack).unwrap();
    assert_eq!(packer.finish(), buf.len());
    assert_eq!(fields(&buf), [Ok(Field::LocalHealth(3)), Ok(Field::Nack)]);
}

#[test]
fn without_room_for_a_field_there_is_no_extension() {
    let mut buf = [0; EXTENSION_HEADER_LEN + 1];
    let mut packer = ExtensionPacker::new(&mut buf);
    assert_eq!(packer.push(&Field::Nack), Err(EncodeError::NoRoom));
    assert_eq!(packer.finish(), 0);
}

#[test]
fn capabilities_are_sets_of_bits() {
    let both = Capabilities::NACK | Capabilities::DIGEST;
    assert!(both.contains(Capabilities::NACK) && both.contains(Capabilities::NONE));
    assert!(!both.contains(Capabilities::SUSPECTORS) && !Capabilities::NACK.contains(both));
    assert_eq!(both.bits(), 0b101);
}
