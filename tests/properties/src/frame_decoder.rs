use std::cmp;

use shiome_wire::{
    FrameDecoder, FrameError, LENGTH_PREFIX_LEN, MAX_FRAME_LEN, MAX_UNAUTHENTICATED_FRAME_LEN,
};

use crate::{
    memory::within,
    pieces::{Pieces, ways},
};

/// Room for a read, doubled as buffers grow, in bytes.
const SPARE: usize = 64 * 1024;

/// Bytes of memory for a byte that arrives: its place in a buffer that has doubled, and what is kept here of an empty
/// frame in a list that has.
const PER_BYTE: usize = 16;

/// Any stream of bytes, in any pieces: frames within the limit, the same in all pieces, with all their bytes; and memory
/// for what has arrived, not for what is announced.
pub fn frame_decoder(stream: &[u8]) {
    for limit in [16, MAX_UNAUTHENTICATED_FRAME_LEN, MAX_FRAME_LEN, u64::MAX] {
        let [whole, others @ ..] = ways(stream);
        let (frames, end) = cut(stream, whole, limit);
        let mut rest = stream;
        for frame in &frames {
            let (prefix, behind) = rest.split_at(LENGTH_PREFIX_LEN);
            let (body, behind) = behind.split_at(frame.len());
            rest = behind;
            assert!(body.len() as u64 <= limit);
            assert_eq!(prefix, (body.len() as u64).to_be_bytes());
            assert_eq!(frame, body);
        }
        check_end(rest, limit, end);
        for pieces in others {
            assert_eq!(cut(stream, pieces, limit), (frames.clone(), end));
        }
    }
    a_limit_that_is_raised_counts_from_the_next_frame(stream);
}

/// `rest` is what follows the last frame.
fn check_end(rest: &[u8], limit: u64, end: Result<(), FrameError>) {
    match end {
        Ok(()) => assert_eq!(rest, [0u8; 0]),
        Err(FrameError::TooLong {
            announced,
            limit: told,
        }) => {
            assert!(announced > limit && told == limit);
            assert_eq!(rest[..LENGTH_PREFIX_LEN], announced.to_be_bytes());
        }
        Err(FrameError::Truncated { buffered }) => {
            assert_eq!(buffered, rest.len());
            if let Some(prefix) = rest.first_chunk() {
                let missing = rest.len() - LENGTH_PREFIX_LEN;
                assert!(u64::from_be_bytes(*prefix) > missing as u64);
            }
        }
        Err(other) => panic!("{other}"),
    }
}

/// Copies of the frames of a stream, and how it ends.
fn cut(stream: &[u8], pieces: Pieces, limit: u64) -> (Vec<Vec<u8>>, Result<(), FrameError>) {
    within(PER_BYTE * stream.len() + SPARE, || {
        let mut decoder = FrameDecoder::new(limit);
        let mut frames = Vec::new();
        for piece in pieces.of(stream) {
            // Both ways of putting something in.
            match piece.len() % 2 {
                0 => decoder.extend(piece),
                _ => decoder.read_buf().extend_from_slice(piece),
            }
            if let Err(error) = take_all(&mut decoder, &mut frames) {
                assert_eq!(decoder.next_frame(), Err(error), "the refusal lasts");
                return (frames, Err(error));
            }
        }
        (frames, decoder.finish())
    })
}

fn take_all(decoder: &mut FrameDecoder, frames: &mut Vec<Vec<u8>>) -> Result<(), FrameError> {
    while let Some(frame) = decoder.next_frame()? {
        frames.push(frame.body().to_vec());
    }
    Ok(())
}

/// As after a handshake, while more is there already.
fn a_limit_that_is_raised_counts_from_the_next_frame(stream: &[u8]) {
    let mut decoder = FrameDecoder::new(MAX_UNAUTHENTICATED_FRAME_LEN);
    decoder.extend(stream);
    let mut raised = Vec::new();
    if let Ok(Some(first)) = decoder.next_frame() {
        raised.push(first.body().to_vec());
        decoder.set_max_frame_len(MAX_FRAME_LEN);
        let _ = take_all(&mut decoder, &mut raised);
    }
    let (all, _) = cut(stream, Pieces::Whole, MAX_FRAME_LEN);
    let common = cmp::min(all.len(), raised.len());
    assert_eq!(raised[..common], all[..common]);
    assert!(raised.is_empty() || raised.len() == all.len());
}
