//! Any stream of bytes, in any pieces: frames within the limit, the same in all pieces, and messages that survive
//! their own encoding.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use shiome_wire::{
    Frame, FrameDecoder, FrameError, MAX_FRAME_LEN, MAX_UNAUTHENTICATED_FRAME_LEN, encode,
};

const LIMIT: u64 = MAX_UNAUTHENTICATED_FRAME_LEN;

fuzz_target!(|stream: &[u8]| {
    let whole = frames(stream, stream.len());
    assert_eq!(whole, frames(stream, 1));
    for frame in whole.0 {
        assert!(frame.body().len() as u64 <= LIMIT);
        let Ok(message) = frame.decode() else {
            continue;
        };
        let mut encoded = BytesMut::new();
        encode(&message, MAX_FRAME_LEN, &mut encoded).expect("no longer than what it came from");
        let (again, end) = frames(&encoded, encoded.len());
        if let ([again], Ok(())) = (&again[..], end) {
            assert_eq!(again.clone().decode().as_ref(), Ok(&message));
        }
    }
});

/// The frames of a stream that arrives in pieces of `piece` bytes, and how it ends.
fn frames(stream: &[u8], piece: usize) -> (Vec<Frame>, Result<(), FrameError>) {
    let mut decoder = FrameDecoder::new(LIMIT);
    let mut frames = Vec::new();
    for piece in stream.chunks(piece.max(1)) {
        decoder.extend(piece);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(e) => return (frames, Err(e)),
            }
        }
    }
    (frames, decoder.finish())
}
