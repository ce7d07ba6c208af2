use http::{
    HeaderValue, Request,
    header::{
        CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
        SEC_WEBSOCKET_VERSION, UPGRADE,
    },
};
use shiome_transport::{
    Link,
    websocket::{Endpoint, MAX_HEAD_LEN, SUBPROTOCOL, UpgradeError, connect},
};

use super::{
    frames::{check_read, check_written, read_all, write_all},
    model::{self, Reader},
    wire::{Peer, Wire, finish},
};
use crate::{
    memory::within,
    pieces::{Pieces, ways},
};

/// Memory for a request and the answer to it, in bytes: the heads, what is read ahead and the fields.
const MEMORY: usize = 8 * MAX_HEAD_LEN;

/// What a head ends with.
const END: &[u8] = b"\r\n\r\n";

/// In an input this stands for what shows that the server has understood, which is another each time (RFC 6455 §1.3).
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Any bytes of a server that is asked to open a WebSocket, in any pieces: it is open only after a response that says so
/// and fits the request, and frames begin right after that.
pub fn websocket_connect(stream: &[u8]) {
    let [whole, others @ ..] = ways(stream);
    let first = open(stream, whole);
    for pieces in others {
        assert_eq!(open(stream, pieces), first);
    }
}

fn open(stream: &[u8], pieces: Pieces) -> Result<(), String> {
    let said = stream.to_vec();
    let wire = Wire::answering(Box::new(move |request| answer(&said, request)), pieces);
    let peer = wire.peer();
    let link = wire.link();
    let moved = stream.len() + 1024;
    let memory = MEMORY + 2 * stream.len();
    let connected = within(memory, || finish(moved, connect(link, "b:1", "/cluster")));
    let head = stream.windows(END.len()).position(|window| window == END);
    let head_len = head.map_or(stream.len(), |at| at + END.len());
    match connected {
        Ok(link) => {
            let (head, frames) = stream.split_at(head_len);
            assert!(head.ends_with(END) && head.len() <= MAX_HEAD_LEN);
            assert!(head.windows(ACCEPT.len()).any(|part| part == ACCEPT));
            // Empty lines may stand in front.
            let status = head.trim_ascii_start();
            assert!(status.starts_with(b"HTTP/1.1 101") || status.starts_with(b"HTTP/1.0 101"));
            check_link(link, &peer, frames, pieces);
            Ok(())
        }
        Err(error) => {
            match error {
                UpgradeError::Lost(_) => assert!(head.is_none()),
                UpgradeError::HeadTooLong => assert!(head_len > MAX_HEAD_LEN),
                _ => assert!(head.is_some() && head_len <= MAX_HEAD_LEN),
            }
            Err(error.to_string())
        }
    }
}

/// What the server says after the response is read, and what the client says reaches it.
fn check_link(mut link: Link, peer: &Peer, frames: &[u8], pieces: Pieces) {
    let frames = replace_accept(frames, &accept_for(&peer.sent()));
    let before = peer.sent().len();
    if frames.is_empty() {
        write_all(&mut link, b"something to say", pieces);
        let sent = peer.sent();
        check_written(
            &model::read(&sent[before..], Reader::Server),
            b"something to say",
        );
    }
    let expected = model::read(&frames, Reader::Client);
    let (bytes, end) = read_all(&mut link, 2 * frames.len());
    check_read(&expected, &bytes, &end, pieces);
}

/// What the server says to a client that has sent `request`.
fn answer(stream: &[u8], request: &[u8]) -> Vec<u8> {
    assert!(request.starts_with(b"GET /cluster HTTP/1.1\r\nHost: b:1\r\n"));
    assert!(request.ends_with(END));
    replace_accept(stream, &accept_for(request))
}

/// As a server that opens it says.
fn accept_for(request: &[u8]) -> Vec<u8> {
    let name = b"\r\nSec-WebSocket-Key: ";
    let at = request.windows(name.len()).position(|part| part == name);
    let key = &request[at.expect("it has a key") + name.len()..];
    let len = key.iter().position(|byte| *byte == b'\r');
    let key = &key[..len.expect("the line ends")];
    let request = Request::get("/")
        .header(UPGRADE, "websocket")
        .header(CONNECTION, "Upgrade")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL)
        .header(
            SEC_WEBSOCKET_KEY,
            HeaderValue::from_bytes(key).expect("visible text"),
        )
        .body(())
        .expect("all parts are well formed");
    let response = Endpoint::default().answer(&request);
    let response = response.expect("it asks for a WebSocket");
    response.headers()[SEC_WEBSOCKET_ACCEPT].as_bytes().to_vec()
}

fn replace_accept(stream: &[u8], accept: &[u8]) -> Vec<u8> {
    let mut replaced = stream.to_vec();
    for at in 0..replaced.len().saturating_sub(ACCEPT.len() - 1) {
        let part = &mut replaced[at..at + ACCEPT.len()];
        if part == ACCEPT {
            part.copy_from_slice(accept);
        }
    }
    replaced
}
