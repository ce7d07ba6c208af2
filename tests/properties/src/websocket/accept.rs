use std::str;

use shiome_transport::{
    Link,
    websocket::{Endpoint, MAX_HEAD_LEN, Origins, SUBPROTOCOL, UpgradeError, accept},
};

use super::{
    frames::{check_read, read_all},
    model::{self, Reader},
    wire::{Wire, finish},
};
use crate::{
    memory::within,
    pieces::{Pieces, ways},
};

/// Bytes that may be read beyond the head of a request: one read, doubled as buffers grow.
const MAX_READ_AHEAD: usize = MAX_HEAD_LEN + 2 * 1024;

/// Memory for a request and the answer to it, in bytes: the head, what is read ahead and the fields.
const MEMORY: usize = 8 * MAX_HEAD_LEN;

/// What a head ends with.
const END: &[u8] = b"\r\n\r\n";

/// Any bytes of a client that wants to open a WebSocket, in any pieces: it is opened only for a request that asks for it
/// and may, and frames begin right after that; all others are told why not, in HTTP.
pub fn websocket_accept(stream: &[u8]) {
    let [whole, others @ ..] = ways(stream);
    let anywhere = Endpoint::default();
    let first = open(stream, whole, &anywhere);
    for pieces in others {
        assert_eq!(open(stream, pieces, &anywhere), first);
    }
    let strict = Endpoint::new(Origins::only(["https://example.org"])).at("/cluster");
    if let (Ok(()), _) = open(stream, whole, &strict) {
        assert!(first.0.is_ok() || has_origin(stream));
        assert!(stream.windows(8).any(|part| part == b"/cluster"));
    }
}

fn has_origin(stream: &[u8]) -> bool {
    let stream = stream.to_ascii_lowercase();
    let field = b"\norigin:";
    stream.windows(field.len()).any(|part| part == field)
}

/// What became of it, with all that the link gave when there is one, and what the client was told.
fn open(stream: &[u8], pieces: Pieces, endpoint: &Endpoint) -> (Result<(), String>, Vec<u8>) {
    let wire = Wire::saying(stream, pieces);
    let peer = wire.peer();
    let link = wire.link();
    let moved = stream.len() + 1024;
    let accepted = within(MEMORY, || finish(moved, accept(link, endpoint)));
    let answer = peer.sent();
    let head = stream.windows(END.len()).position(|window| window == END);
    let head_len = head.map_or(stream.len(), |at| at + END.len());
    match accepted {
        Ok(link) => {
            check_opened(&stream[..head_len], &answer);
            check_frames(link, &stream[head_len..], pieces);
            (Ok(()), answer)
        }
        Err(error) => {
            assert!(peer.taken() <= MAX_HEAD_LEN + MAX_READ_AHEAD);
            check_refused(&error, stream, head_len, &answer);
            (Err(error.to_string()), answer)
        }
    }
}

fn check_frames(mut link: Link, frames: &[u8], pieces: Pieces) {
    let expected = model::read(frames, Reader::Server);
    let (bytes, end) = read_all(&mut link, 2 * frames.len());
    check_read(&expected, &bytes, &end, pieces);
}

/// The head is the request that the standard wants, said in a simple way.
fn check_opened(head: &[u8], answer: &[u8]) {
    assert!(head.len() <= MAX_HEAD_LEN);
    let head = head.strip_suffix(END).expect("it has come to its end");
    let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let request = lines.find(|line| !line.is_empty()).expect("there is one");
    assert!(request.starts_with(b"GET "), "{}", request.escape_ascii());
    assert!(request.ends_with(b" HTTP/1.1"));
    let fields = Fields::read(lines);
    assert!(fields.has("upgrade", "websocket") && fields.has("connection", "upgrade"));
    assert!(fields.has("sec-websocket-protocol", SUBPROTOCOL));
    assert!(fields.values("sec-websocket-version").eq(["13"]));
    assert_eq!(fields.values("sec-websocket-key").count(), 1);
    assert!(answer.starts_with(b"HTTP/1.1 101 "));
    assert!(answer.ends_with(END));
}

/// Names in lower case, and values.
struct Fields(Vec<(String, String)>);

impl Fields {
    fn read<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Self {
        let read = |line: &[u8]| {
            let line = String::from_utf8_lossy(line);
            let (name, value) = line.split_once(':').expect("a field");
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        Self(lines.map(read).collect())
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = self.0.iter().filter(move |(of, _)| of == name);
        named.map(|(_, value)| &**value)
    }

    fn has(&self, name: &str, token: &str) -> bool {
        let mut tokens = self.values(name).flat_map(|value| value.split(','));
        tokens.any(|part| part.trim().eq_ignore_ascii_case(token))
    }
}

fn check_refused(error: &UpgradeError, stream: &[u8], head_len: usize, answer: &[u8]) {
    match error {
        UpgradeError::Lost(_) => {
            assert_eq!(answer, b"", "nobody is there to hear it");
            assert!(!stream.ends_with(END) && stream.len() <= MAX_HEAD_LEN);
            return;
        }
        UpgradeError::HeadTooLong => assert!(head_len > MAX_HEAD_LEN),
        _ => assert!(stream[..head_len].ends_with(END) && head_len <= MAX_HEAD_LEN),
    }
    let answer = str::from_utf8(answer).expect("text");
    let status = format!("HTTP/1.1 {} ", error.status().as_u16());
    assert!(answer.starts_with(&status), "{answer}");
    assert!(answer.contains("\r\ncontent-length: 0\r\n"));
    assert!(answer.contains("\r\nconnection: close\r\n"));
    assert_eq!(answer.find("\r\n\r\n"), Some(answer.len() - END.len()));
}
