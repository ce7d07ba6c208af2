use std::io;

use shiome_transport::{
    Link, Security,
    websocket::{MAX_MESSAGE_LEN, WebSocketError, upgraded},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    model::{self, End, Reader, Said},
    wire::{Peer, Wire, finish, run},
};
use crate::{
    memory::within,
    pieces::{Pieces, ways},
};

/// Answers to pings that may wait for a peer that does not take them.
const MAX_WAITING_PONGS: usize = 64;

/// Memory for a byte that arrives, in bytes: it is read, unmasked, put together and handed over, in buffers that double.
const PER_BYTE: usize = 16;

/// Memory for the longest message that may be announced, and buffers, in bytes.
const SPARE: usize = MAX_MESSAGE_LEN + 64 * 1024;

/// Longer inputs find nothing that shorter ones do not, in more time; and there are many ways to write few bytes.
const MAX_READ: usize = 4 * 1024;
const MAX_WRITTEN: usize = 256;

/// Any frames of a client, in any pieces: the bytes, the end and the answers that the standard says; and what the server
/// writes comes out again.
pub fn websocket_frames(frames: &[u8]) {
    let frames = &frames[..frames.len().min(MAX_READ)];
    let expected = model::read(frames, Reader::Server);
    for pieces in ways(frames) {
        within(SPARE + PER_BYTE * frames.len(), || {
            let (mut link, peer) = server(Wire::saying(frames, pieces));
            let (bytes, end) = read_all(&mut link, frames.len());
            check_read(&expected, &bytes, &end, pieces);
            drop(link);
            if pieces == Pieces::Whole {
                check_answers(&expected, &model::read(&peer.sent(), Reader::Client));
            }
        });
        writes_come_out_again(&frames[..frames.len().min(MAX_WRITTEN)], pieces);
    }
    nobody_waits_for_a_peer_that_does_not_read(frames, &expected);
}

fn server(wire: Wire) -> (Link, Peer) {
    let peer = wire.peer();
    (upgraded(wire, "peer", "local", Security::Plain), peer)
}

/// All bytes that come over a link, and how they end.
pub(super) fn read_all(link: &mut Link, len: usize) -> (Vec<u8>, io::Result<()>) {
    let mut bytes = Vec::new();
    let read = finish(len, link.reader.read_to_end(&mut bytes));
    (bytes, read.map(drop))
}

/// A peer that takes the answers to its pings slowly may be given up.
pub(super) fn check_read(expected: &Said, bytes: &[u8], end: &io::Result<()>, pieces: Pieces) {
    let fault = end.as_ref().err().and_then(WebSocketError::of);
    if fault == Some(&WebSocketError::Pings) {
        assert!(expected.pings.len() > MAX_WAITING_PONGS && pieces != Pieces::Whole);
        assert!(expected.bytes.starts_with(bytes));
        return;
    }
    assert_eq!(bytes, expected.bytes);
    assert_eq!(end.is_ok(), expected.end.is_orderly(), "{end:?}");
    match (fault, expected.end) {
        (None, end) => assert!(end.is_orderly() || end == End::Lost),
        (Some(WebSocketError::Closed { reason, .. }), end) => {
            assert_eq!(End::Closed(Some(reason.code())), end);
        }
        // Text is refused, be it good or bad.
        (Some(WebSocketError::Text), End::Text | End::NotText)
        | (Some(WebSocketError::TooLong), End::TooLong)
        | (Some(WebSocketError::Protocol { .. }), End::Protocol | End::NotText) => {}
        odd => panic!("{odd:?}"),
    }
}

/// Each ping is answered, in order, and the peer is told why nothing more is read.
fn check_answers(expected: &Said, answers: &Said) {
    assert_eq!(answers.pongs, expected.pings);
    assert_eq!((&*answers.bytes, answers.pings.len()), (&[][..], 0));
    if (answers.end, expected.end) == (End::Closed(Some(1003)), End::NotText) {
        return;
    }
    let told = expected.end.told();
    assert_eq!(answers.end, told.map_or(End::Lost, End::Closed));
}

/// Writes `bytes` in pieces that are as long as the connection's are.
fn writes_come_out_again(bytes: &[u8], pieces: Pieces) {
    let (mut link, peer) = server(Wire::saying(&[], pieces));
    write_all(&mut link, bytes, pieces);
    check_written(&model::read(&peer.sent(), Reader::Client), bytes);
}

pub(super) fn write_all(link: &mut Link, bytes: &[u8], pieces: Pieces) {
    // A byte in a frame of its own is some bytes with its header.
    let moved = 16 * (bytes.len() + 1);
    finish(moved, async {
        for piece in pieces.of(bytes) {
            link.writer.write_all(piece).await.expect("it is open");
        }
        link.writer.flush().await.expect("it is open");
        link.writer.shutdown().await.expect("it is open");
        link.writer.shutdown().await.expect("again does nothing");
    });
}

pub(super) fn check_written(said: &Said, bytes: &[u8]) {
    assert_eq!(said.bytes, bytes);
    assert_eq!(said.end, End::Ended);
    assert!(said.longest <= MAX_MESSAGE_LEN);
    assert_eq!((said.pings.len(), said.pongs.len()), (0, 0));
}

/// Reading goes on without it, up to a number of pings.
fn nobody_waits_for_a_peer_that_does_not_read(frames: &[u8], expected: &Said) {
    within(SPARE + PER_BYTE * frames.len(), || {
        let (mut link, _) = server(Wire::saying(frames, Pieces::Whole).stuck());
        let mut bytes = Vec::new();
        let read = run(frames.len(), link.reader.read_to_end(&mut bytes));
        assert!(expected.bytes.starts_with(&bytes));
        match read {
            // As far as this peer goes, there is no difference to one that is slow.
            Some(end) => check_read(expected, &bytes, &end.map(drop), Pieces::Single),
            None => assert!(!expected.end.is_orderly() || !expected.pings.is_empty()),
        }
    });
}
