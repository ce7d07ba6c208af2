use super::*;
use crate::decode::{field::Value, text};

fn of_hex(hex: &str) -> Vec<u8> {
    hex::decode(hex.replace(' ', "")).unwrap()
}

/// Frames of a stream that comes in pieces of `piece` bytes, and what is left.
fn all(stream: &[u8], piece: usize) -> Vec<Explained> {
    let mut frames = Frames::at(0);
    let mut told = Vec::new();
    for piece in stream.chunks(piece) {
        frames.extend(piece);
        told.extend(std::iter::from_fn(|| frames.next_frame()));
    }
    told.extend(frames.finish());
    told
}

/// Name of `a@h`, with a capability and a field that nobody knows; Cast; and Goodbye, with another such field.
const STREAM: &str = "\
    00000000000000570a550a530a03614068123d0801c23e380801100118bf8040208080f9c0c1c482032a2000010203040506 \
    0708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f30808080081a03683a312007ea04056c617465720000000000 \
    00001912170a150803120c0000000000000004000000071a034164640000000000000019c23e1652140804120d746f6f1b5b \
    33316d206d756368980601";

#[test]
fn a_stream_is_explained_for_people() {
    let told: String = all(&of_hex(STREAM), 100).iter().map(text::render).collect();
    let expected = include_str!("stream.txt");
    assert_eq!(told, expected, "\n{told}");
}

#[test]
fn it_does_not_matter_how_a_stream_was_split() {
    let stream = of_hex(STREAM);
    let whole = all(&stream, stream.len());
    assert_eq!(whole.len(), 3);
    assert!(whole.iter().all(|frame| frame.problem.is_none()));
    for piece in 1..stream.len() {
        assert_eq!(all(&stream, piece), whole, "{piece}");
    }
}

#[test]
fn a_cut_frame_is_explained_as_far_as_it_goes() {
    let stream = of_hex("000000000000000a 1a08 1a06 0a04 0803");
    let told = all(&stream, 100);
    let [frame] = &told[..] else {
        panic!("{told:?}");
    };
    let problem = frame.problem.as_ref().unwrap();
    assert_eq!(problem.offset, stream.len());
    assert!(
        problem.reason.contains("10 bytes announced, 8 are there"),
        "{problem}"
    );
    assert_eq!(frame.fields[0].value, Value::Unsigned(10));
    assert_eq!(frame.kind, "cut short");

    let told = all(&stream[..5], 100);
    let problem = told[0].problem.as_ref().unwrap();
    assert!(problem.reason.contains("5 bytes of 8"), "{problem}");
}

#[test]
fn a_length_that_no_frame_has_ends_the_stream() {
    let stream = of_hex("0000000000000004 1a02 4a00 0000010000000000 1a024a00");
    let told = all(&stream, 100);
    let [ready, refused] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!((ready.kind.as_str(), &ready.problem), ("ready", &None));
    let problem = refused.problem.as_ref().unwrap();
    assert_eq!(problem.offset, 12);
    assert!(problem.reason.contains("1099511627776 bytes announced"));
    assert!(refused.notes[0].contains("4 bytes after it"));
}

#[test]
fn a_malformed_frame_does_not_touch_those_after_it() {
    let stream = of_hex("0000000000000003 0a05ff 0000000000000000 0000000000000004 1a024a00");
    let told = all(&stream, 100);
    let kinds: Vec<_> = told.iter().map(|frame| frame.kind.as_str()).collect();
    assert_eq!(kinds, ["malformed", "empty", "ready"]);
    assert_eq!(told[0].problem.as_ref().unwrap().offset, 10);
    assert_eq!(told[1].problem, None);
}

#[test]
fn lists_that_nodes_refuse_are_wrong() {
    // spawn, of which the actors are of two bytes each
    let actors = [0x0a, 0].repeat(shiome::wire::MAX_LIST_ITEMS + 1);
    let spawn = [&[0x0a, 0x82, 0x80, 0x20][..], &actors].concat();
    let control = [&[0x1a, 0x86, 0x80, 0x20][..], &spawn].concat();
    let stream = [&(control.len() as u64).to_be_bytes()[..], &control].concat();
    let told = all(&stream, stream.len());
    let problem = told[0].problem.as_ref().unwrap();
    assert!(problem.reason.contains("the limit is"), "{problem}");
}
