//! Bytes that are almost right: every recorded frame cut off at every byte, and with every bit flipped.
//!
//! All of it is tried, nothing sampled: recorded frames are short, and the first test says so.
#![allow(clippy::unwrap_used, reason = "support code of tests")]

use std::{collections::BTreeSet, fs, path::Path};

use bytes::BytesMut;
use serde_json::Value;
use shiome_wire::{
    FrameDecoder, FrameError, LENGTH_PREFIX_LEN, MAX_FRAME_LEN, MAX_UNAUTHENTICATED_FRAME_LEN,
    encode,
};

/// Limit on what the tests below flip, in bytes: at a few microseconds a bit they stay within some seconds.
const MAX_TOTAL_LEN: usize = 128 * 1024;

/// Memory that a decoder may hold beyond what was put in, in bytes: room for a read, doubled as buffers grow.
const SPARE: usize = 64 * 1024;

/// All different frames in the vectors.
fn frames() -> BTreeSet<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let mut frames = BTreeSet::new();
    for file in fs::read_dir(dir).unwrap() {
        let text = fs::read(file.unwrap().path()).unwrap();
        let entries: Vec<Value> = serde_json::from_slice(&text).unwrap();
        let hex = entries.iter().filter_map(|e| e["frame_hex"].as_str());
        frames.extend(hex.map(|hex| hex::decode(hex).unwrap()));
    }
    frames
}

#[test]
fn frames_are_many_and_short() {
    let frames = frames();
    assert!(frames.len() > 500, "{}", frames.len());
    let total: usize = frames.iter().map(Vec::len).sum();
    assert!(total <= MAX_TOTAL_LEN, "{total} bytes: time to sample them");
}

#[test]
fn a_frame_cut_off_anywhere_is_waited_for_and_then_truncated() {
    for frame in frames() {
        for len in 0..frame.len() {
            let mut decoder = FrameDecoder::new(MAX_FRAME_LEN);
            decoder.extend(&frame[..len]);
            assert_eq!(decoder.next_frame(), Ok(None), "{len} bytes of {frame:x?}");
            let end = match len {
                0 => Ok(()),
                buffered => Err(FrameError::Truncated { buffered }),
            };
            assert_eq!(decoder.finish(), end);

            decoder.extend(&frame[len..]);
            let cut = decoder.next_frame().unwrap().unwrap();
            assert_eq!(cut.body()[..], frame[LENGTH_PREFIX_LEN..]);
        }
    }
}

#[test]
fn a_body_cut_off_anywhere_decodes_or_is_refused() {
    for frame in frames() {
        for len in 0..frame.len() - LENGTH_PREFIX_LEN {
            let mut shorter = (len as u64).to_be_bytes().to_vec();
            shorter.extend(&frame[LENGTH_PREFIX_LEN..][..len]);
            assert_eq!(take_all(&shorter, MAX_FRAME_LEN), 1);
        }
    }
}

#[test]
fn a_frame_with_any_bit_flipped_decodes_or_is_refused() {
    for limit in [MAX_FRAME_LEN, MAX_UNAUTHENTICATED_FRAME_LEN, 16] {
        for mut frame in frames() {
            for bit in 0..frame.len() * 8 {
                frame[bit / 8] ^= 1 << (bit % 8);
                take_all(&frame, limit);
                frame[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }
}

/// Takes the frames out of `stream` until there are no more, and says how many there were.
fn take_all(stream: &[u8], limit: u64) -> usize {
    let mut decoder = FrameDecoder::new(limit);
    decoder.extend(stream);
    let mut frames = 0;
    let mut taken = 0;
    let refused = loop {
        match decoder.next_frame() {
            Ok(Some(frame)) => {
                let len = frame.body().len();
                assert!(len as u64 <= limit, "{len} bytes above the limit {limit}");
                frames += 1;
                taken += LENGTH_PREFIX_LEN + len;
                if let Ok(message) = frame.decode() {
                    decodes_from_its_own_encoding(&message);
                }
            }
            Ok(None) => break false,
            Err(FrameError::TooLong { announced, .. }) => {
                assert!(
                    announced > limit,
                    "{announced} refused, the limit is {limit}"
                );
                break true;
            }
            Err(other) => panic!("{other}: the stream has not ended"),
        }
    };
    assert!(taken <= stream.len(), "frames are made of what arrived");
    if !refused && taken < stream.len() {
        assert!(decoder.finish().is_err(), "what is left is half a frame");
    }
    let held = decoder.read_buf().capacity();
    assert!(
        held <= stream.len() + SPARE,
        "{held} bytes held for {} received",
        stream.len()
    );
    frames
}

fn decodes_from_its_own_encoding(message: &shiome_wire::meta::NetworkMessage) {
    let mut encoded = BytesMut::new();
    encode(message, MAX_FRAME_LEN, &mut encoded).unwrap();
    let mut decoder = FrameDecoder::new(MAX_FRAME_LEN);
    decoder.extend(&encoded);
    let again = decoder.next_frame().unwrap().unwrap().decode().unwrap();
    assert_eq!(again, *message);
}
