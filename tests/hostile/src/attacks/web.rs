//! A WebSocket that is open, and what should not be said on one.

use std::time::Duration;

use crate::{
    Problem,
    attack::{Arena, Attack, Bounds, Door, Tally, USUAL, crowd::crowd, raw::Raw},
    victim::PATH,
};

pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        name: "web-frames",
        about: "strangers open a WebSocket and send text, unmasked, reserved, endless and oversized frames, up to 1000 times \
                from 200 addresses within 4 s",
        bounds: Bounds {
            door: Door::Ws,
            ..USUAL
        },
        run: |arena| Box::pin(frames(arena)),
    },
    Attack {
        name: "web-head",
        about: "strangers send heads of HTTP that are too long, have too many fields, or are not for a WebSocket, up to 1000 \
                times from 200 addresses within 4 s",
        bounds: Bounds {
            door: Door::Ws,
            ..USUAL
        },
        run: |arena| Box::pin(heads(arena)),
    },
];

const SOURCES: u64 = 200;
const AT_A_TIME: u64 = 8;
const EACH: u64 = 125;

/// For the victim to close: less than the 5 s that it waits for who says no more.
const LIMIT: Duration = Duration::from_millis(4500);

async fn frames(arena: Arena) -> Result<Tally, Problem> {
    let upgrade = format!(
        "GET {PATH} HTTP/1.1\r\nHost: victim\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {}\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        shiome_transport::websocket::SUBPROTOCOL
    );
    // Behind the opening: first byte, length, mask, payload.
    let mask = [0; 4];
    let said = |frame: &[&[u8]]| [upgrade.as_bytes(), &frame.concat()].concat();
    let all = vec![
        said(&[&[0x81, 0x85], &mask, b"hello"]),
        said(&[&[0x82, 0x05], b"plain"]),
        said(&[&[0xf2, 0x85], &mask, b"bits!"]),
        said(&[&[0x83, 0x85], &mask, b"what?"]),
        said(&[&[0x82, 0xff], &u64::MAX.to_be_bytes(), &mask]),
        said(&[&[0x82, 0xff], &(1_u64 << 40).to_be_bytes(), &mask]),
        said(&[&[0x89, 0xfe, 0x01, 0x00], &mask, &[0; 256]]),
        said(&[&[0x80, 0x85], &mask, b"again"]),
    ];
    say(arena, all).await
}

async fn heads(arena: Arena) -> Result<Tally, Problem> {
    let head = |fields: &str| format!("GET {PATH} HTTP/1.1\r\nHost: victim\r\n{fields}\r\n");
    let all = [
        head(&format!("X-Long: {}\r\n", "x".repeat(16 * 1024))),
        head(&"X-Many: 1\r\n".repeat(200)),
        head(""),
        head("Upgrade: h2c\r\nConnection: Upgrade\r\n"),
        "POST / HTTP/1.1\r\nHost: victim\r\nContent-Length: 99999999999\r\n\r\n".to_owned(),
        "\r\n\r\n".to_owned(),
        "\0\u{1}\u{2}\r\n\r\n".to_owned(),
    ];
    say(arena, all.map(String::into_bytes).into()).await
}

/// Says each of these, in turn.
async fn say(arena: Arena, all: Vec<Vec<u8>>) -> Result<Tally, Problem> {
    crowd(&arena, AT_A_TIME, move |arena, number| {
        let all = all.clone();
        async move {
            let mut tally = Tally::default();
            for turn in 0..arena.count(EACH) {
                if arena.is_over(&tally) {
                    break;
                }
                tally.attempts += 1;
                let from = arena.source((turn * AT_A_TIME + number) % SOURCES);
                let Ok(mut raw) = Raw::tcp(from, &arena.options.ws).await else {
                    tally.refused += 1;
                    continue;
                };
                let sent = raw.writer.bytes(&all[turn as usize % all.len()]).await;
                let closed = sent.is_err() || raw.reader.closed_within(LIMIT).await;
                tally.refused += u64::from(closed);
            }
            let all = tally.attempts == tally.refused;
            tally.check("each is closed", all, tally.refused);
            Ok(tally)
        }
    })
    .await
}
