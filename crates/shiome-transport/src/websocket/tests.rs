use std::{fmt::Debug, io};

use proptest::prelude::*;
use tokio::io::{DuplexStream, duplex};

use super::*;

fn links() -> (Link, Link) {
    let (here, there) = duplex(64 * 1024);
    let link = |io, at: &str| Link::from_stream(io, at, at, Security::Plain);
    (link(here, "b"), link(there, "a"))
}

async fn open_both() -> (Link, Link) {
    let (here, there) = links();
    let endpoint = Endpoint::default();
    let (here, there) = tokio::join!(connect(here, "b:1", "/"), accept(there, &endpoint));
    (here.unwrap(), there.unwrap())
}

/// A server's link, and the connection of a client that does as it likes.
fn server_of(capacity: usize) -> (DuplexStream, Link) {
    let (client, server) = duplex(capacity);
    (
        client,
        upgraded(server, "client", "server", Security::Plain),
    )
}

/// A frame of a client, masked with zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..126 => frame.push(0x80 | len as u8),
        len @ 126..65536 => {
            frame.push(0x80 | 126);
            frame.extend((len as u16).to_be_bytes());
        }
        len => {
            frame.push(0x80 | 127);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// What the server makes of these frames, and what it sends meanwhile.
async fn told(frames: &[Vec<u8>]) -> (Vec<u8>, io::Result<usize>, Vec<u8>) {
    let (mut client, mut link) = server_of(1024 * 1024);
    for frame in frames {
        client.write_all(frame).await.unwrap();
    }
    let mut read = Vec::new();
    let result = link.reader.read_to_end(&mut read).await;
    drop(link);
    let mut sent = Vec::new();
    client.read_to_end(&mut sent).await.unwrap();
    (read, result, sent)
}

#[track_caller]
fn fault(result: io::Result<impl Debug>) -> WebSocketError {
    let error = result.unwrap_err();
    WebSocketError::of(&error).expect("one of ours").clone()
}

fn close_code(sent: &[u8]) -> u16 {
    assert_eq!(sent[0], CLOSE, "{sent:?}");
    u16::from_be_bytes([sent[2], sent[3]])
}

#[tokio::test]
async fn a_write_is_a_message() {
    let (mut client, mut link) = server_of(1024 * 1024);
    link.writer.write_all(b"one").await.unwrap();
    link.writer.write_all(b"two").await.unwrap();
    link.writer
        .write_all(&vec![7; MAX_MESSAGE_LEN + 1])
        .await
        .unwrap();
    link.writer.flush().await.unwrap();
    let mut head = [0; 10];
    client.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"\x82\x03one\x82\x03two");
    client.read_exact(&mut head).await.unwrap();
    assert_eq!(head, [BINARY, 127, 0, 0, 0, 0, 0, 4, 0, 0]);
    let mut rest = vec![0; MAX_MESSAGE_LEN];
    client.read_exact(&mut rest).await.unwrap();
    client.read_exact(&mut head[..3]).await.unwrap();
    assert_eq!(head[..3], [BINARY, 1, 7]);
}

#[tokio::test]
async fn where_messages_begin_and_end_says_nothing() {
    let frames = [
        frame(BINARY, b"ab"),
        // In three parts, with a ping in between.
        frame(0x02, b"c"),
        frame(0x00, b""),
        frame(PING, b"?"),
        frame(PONG, b"!"),
        frame(0x80, b"de"),
        frame(BINARY, b""),
    ];
    let (read, result, sent) = told(&frames).await;
    assert_eq!(result.unwrap(), 5);
    assert_eq!(read, b"abcde");
    assert_eq!(sent, b"\x8a\x01?", "the answer to the ping");
}

#[tokio::test]
async fn a_close_in_good_order_is_the_end() {
    for code in [&[][..], &[0x03, 0xe8], &[0x03, 0xe9, b'b', b'y', b'e']] {
        let (read, result, sent) = told(&[frame(BINARY, b"x"), frame(CLOSE, code)]).await;
        assert_eq!((&*read, result.unwrap()), (&b"x"[..], 1));
        assert_eq!(sent[0], CLOSE, "it is answered");
    }
}

#[tokio::test]
async fn any_other_close_says_why() {
    for (code, expected) in [
        (1002u16, CloseReason::Protocol),
        (1008, CloseReason::Policy),
        (1013, CloseReason::Overload),
        (4001, CloseReason::Duplicate),
        (4999, CloseReason::Other(4999)),
    ] {
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend(b"why");
        let (read, result, sent) = told(&[frame(BINARY, b"x"), frame(CLOSE, &payload)]).await;
        assert_eq!(read, b"x");
        let WebSocketError::Closed { reason, detail } = fault(result) else {
            panic!("not closed");
        };
        assert_eq!((reason, &*detail), (expected, "why"));
        assert_eq!(close_code(&sent), code);
    }
}

#[tokio::test]
async fn a_connection_that_is_lost_is_no_end() {
    let (mut client, mut link) = server_of(1024);
    client.write_all(&frame(BINARY, b"half")).await.unwrap();
    drop(client);
    let mut read = Vec::new();
    let error = link.reader.read_to_end(&mut read).await.unwrap_err();
    assert_eq!(
        (&*read, error.kind()),
        (&b"half"[..], io::ErrorKind::UnexpectedEof)
    );
}

#[tokio::test]
async fn what_is_not_binary_is_refused() {
    let (_, result, sent) = told(&[frame(TEXT, b"hello")]).await;
    assert_eq!(fault(result), WebSocketError::Text);
    assert_eq!(close_code(&sent), 1003);
}

#[tokio::test]
async fn what_is_too_long_is_refused_before_it_is_there() {
    let mut head = frame(BINARY, &vec![0; MAX_MESSAGE_LEN + 1]);
    head.truncate(14);
    let (_, result, sent) = told(&[head]).await;
    assert_eq!(fault(result), WebSocketError::TooLong);
    assert_eq!(close_code(&sent), 1009);

    let most = frame(BINARY, &vec![0; MAX_MESSAGE_LEN]);
    let (read, result, _) = told(&[most, frame(CLOSE, b"")]).await;
    assert_eq!(
        (read.len(), result.unwrap()),
        (MAX_MESSAGE_LEN, MAX_MESSAGE_LEN)
    );

    // In parts that are short each.
    let parts: Vec<_> = (0..9u8)
        .map(|n| {
            frame(
                if n == 0 { 0x02 } else { 0x00 },
                &vec![0; MAX_MESSAGE_LEN / 8],
            )
        })
        .collect();
    let (_, result, sent) = told(&parts).await;
    assert_eq!(fault(result), WebSocketError::TooLong);
    assert_eq!(close_code(&sent), 1009);
}

#[tokio::test]
async fn what_is_no_websocket_is_refused() {
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        // Not masked, reserved bits, reserved opcode, long ping, close with half a code.
        b"\x82\x01x",
        b"\xc2\x80\0\0\0\0",
        b"\x83\x80\0\0\0\0",
        b"\x89\xfe\x00\x7e\0\0\0\0",
        b"\x88\x81\0\0\0\0x",
    ] {
        let (_, result, sent) = told(&[bytes.to_vec()]).await;
        assert!(
            matches!(fault(result), WebSocketError::Protocol { .. }),
            "{bytes:?}"
        );
        assert_eq!(close_code(&sent), 1002, "{bytes:?}");
    }
}

#[tokio::test]
async fn pings_are_answered_and_those_who_do_not_read_the_answers_are_given_up() {
    let pings: Vec<_> = (0..1000).map(|_| frame(PING, b"0123456789")).collect();
    let mut frames = pings.clone();
    frames.push(frame(CLOSE, b""));
    let (_, result, sent) = told(&frames).await;
    assert_eq!(result.unwrap(), 0);
    assert_eq!(sent.len(), 1000 * 12 + 2);

    let (mut client, mut link) = server_of(4096);
    let floods = tokio::spawn(async move {
        for ping in &pings {
            if client.write_all(ping).await.is_err() {
                break;
            }
        }
        // It does not read, and does not go away either.
        client
    });
    let mut read = Vec::new();
    let result = link.reader.read_to_end(&mut read).await;
    assert_eq!(fault(result), WebSocketError::Pings);
    drop(link);
    drop(floods.await.unwrap());
}

#[tokio::test]
async fn both_ends_close_when_both_directions_have_ended() {
    let (mut client, mut link) = server_of(1024);
    client.write_all(&frame(BINARY, b"")).await.unwrap();
    assert_eq!(link.reader.read(&mut [0; 8]).await.unwrap(), 0);
    link.writer.write_all(b"still open").await.unwrap();
    link.writer.shutdown().await.unwrap();
    link.writer.shutdown().await.unwrap();
    let late = link.writer.write_all(b"late").await.unwrap_err();
    assert_eq!(late.kind(), io::ErrorKind::BrokenPipe);
    drop(link);
    let mut sent = Vec::new();
    client.read_to_end(&mut sent).await.unwrap();
    assert_eq!(sent, b"\x82\x0astill open\x82\x00\x88\x02\x03\xe8");
}

#[tokio::test]
async fn what_a_server_says_at_once_is_not_lost() {
    let (here, mut there) = links();
    let server = async {
        let head = Head::read(&mut there.reader).await.unwrap();
        let answer = Endpoint::default()
            .answer(&head.request().unwrap())
            .unwrap();
        let mut bytes = head::response(&answer);
        bytes.extend(b"\x82\x05early");
        there.writer.write_all(&bytes).await.unwrap();
        there
    };
    let (client, _there) = tokio::join!(connect(here, "b:1", "/"), server);
    let mut read = [0; 5];
    client.unwrap().reader.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"early");
}

#[tokio::test]
async fn a_refused_client_hears_why() {
    let (here, there) = links();
    let endpoint = Endpoint::default().at("/cluster");
    let (here, there) = tokio::join!(connect(here, "b:1", "/"), accept(there, &endpoint));
    assert!(matches!(there, Err(UpgradeError::Path)));
    assert!(matches!(here, Err(UpgradeError::Refused { status }) if status == 404));
}

async fn answer_to(request: &[u8]) -> (Result<Link, UpgradeError>, String) {
    let (mut client, server) = duplex(64 * 1024);
    let link = Link::from_stream(server, "client", "server", Security::Plain);
    client.write_all(request).await.unwrap();
    client.shutdown().await.unwrap();
    let result = accept(link, &Endpoint::default()).await.map(|link| {
        let Link { reader, writer, .. } = link;
        drop((reader, writer));
        links().0
    });
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    (result, answer)
}

#[tokio::test]
async fn heads_have_a_limit() {
    let mut endless = b"GET / HTTP/1.1\r\nX: ".to_vec();
    endless.resize(MAX_HEAD_LEN + 2048, b'x');
    let (result, answer) = answer_to(&endless).await;
    assert!(matches!(result, Err(UpgradeError::HeadTooLong)));
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");

    let fields = "a: b\r\n".repeat(65);
    let (result, answer) = answer_to(format!("GET / HTTP/1.1\r\n{fields}\r\n").as_bytes()).await;
    assert!(matches!(result, Err(UpgradeError::Malformed)));
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"));

    let (result, answer) = answer_to(b"GET / HTTP/1.1\r\nHost:").await;
    assert!(matches!(result, Err(UpgradeError::Lost(_))));
    assert_eq!(answer, "", "nobody is there to hear it");
}

#[tokio::test]
async fn nothing_stands_between_a_head_and_what_follows_it() {
    // Ends of lines that others take for the end of the head, where something else begins.
    let request = head::request("b:1", "/", SUBPROTOCOL, &endpoint::key());
    for end in ["\n\n\r\n\r\n", "\n\nGET / HTTP/1.1\r\n\r\n", "\n\r\n\r\n"] {
        let request = request.replace("\r\n\r\n", end);
        let (result, answer) = answer_to(request.as_bytes()).await;
        assert!(matches!(result, Err(UpgradeError::Malformed)), "{end:?}");
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
}

#[tokio::test]
async fn a_binding_of_the_channel_below_stays() {
    let (mut here, there) = links();
    here.channel_binding = Some([7; 32]);
    here.security = Security::Tls;
    let endpoint = Endpoint::default();
    let (here, there) = tokio::join!(connect(here, "b:1", "/"), accept(there, &endpoint));
    let (here, there) = (here.unwrap(), there.unwrap());
    assert_eq!(
        (here.channel_binding, here.security),
        (Some([7; 32]), Security::Tls)
    );
    assert_eq!(
        (there.channel_binding, there.security),
        (None, Security::Plain)
    );
    assert_eq!((&*here.peer, &*there.peer), ("b", "a"));
    drop(open_both().await);
}

proptest! {
    #[test]
    fn any_bytes_are_a_request_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (result, _) = runtime.block_on(answer_to(&bytes));
        prop_assert!(result.is_err());
    }

    #[test]
    fn any_bytes_are_frames_or_an_error(
        frames in prop::collection::vec(
            (any::<u8>(), prop::collection::vec(any::<u8>(), 0..200)), 0..20),
        tail in prop::collection::vec(any::<u8>(), 0..50),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let sent: usize = frames.iter().map(|(_, payload)| payload.len()).sum();
        let mut frames: Vec<_> = frames.iter().map(|(first, payload)| frame(*first, payload)).collect();
        frames.push(tail);
        // The client closes with half a frame or a whole one.
        let (read, _) = runtime.block_on(async {
            let (mut client, mut link) = server_of(64 * 1024);
            client.write_all(&frames.concat()).await.unwrap();
            client.shutdown().await.unwrap();
            let mut read = Vec::new();
            let result = link.reader.read_to_end(&mut read).await;
            (read, result)
        });
        prop_assert!(read.len() <= sent + 50);
    }
}
