//! What belongs to one listener, said to another.

use std::time::Duration;

use crate::{
    Problem,
    attack::{
        Arena, Attack, Bounds, Door, Tally, USUAL,
        crowd::crowd,
        peer::{Claim, Tier},
        raw::{Raw, frames},
    },
    links::{HOST, credentials},
    victim::PATH,
};

pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        name: "plain-to-tls",
        about: "strangers begin the handshake of the cluster where TLS is spoken, up to 1000 times from 200 addresses \
                within 4 s",
        bounds: Bounds {
            door: Door::Tls,
            ..USUAL
        },
        run: |arena| Box::pin(attack(arena, Crossing::PlainToTls)),
    },
    Attack {
        name: "tls-to-plain",
        about: "strangers begin TLS where it is not spoken, up to 1000 times from 200 addresses within 4 s",
        bounds: USUAL,
        run: |arena| Box::pin(attack(arena, Crossing::TlsToPlain)),
    },
    Attack {
        name: "http-to-plain",
        about: "strangers ask for a WebSocket where there is none, up to 1000 times from 200 addresses within 4 s",
        bounds: USUAL,
        run: |arena| Box::pin(attack(arena, Crossing::HttpToPlain)),
    },
    Attack {
        name: "plain-to-http",
        about: "strangers begin the handshake of the cluster where WebSockets are opened, up to 1000 times from 200 \
                addresses within 4 s",
        bounds: Bounds {
            door: Door::Ws,
            ..USUAL
        },
        run: |arena| Box::pin(attack(arena, Crossing::PlainToHttp)),
    },
];

#[derive(Debug, Clone, Copy)]
enum Crossing {
    PlainToTls,
    TlsToPlain,
    HttpToPlain,
    PlainToHttp,
}

const SOURCES: u64 = 200;
const AT_A_TIME: u64 = 8;
const EACH: u64 = 125;

/// What is not closed by then waits for more: until the deadline of 5 s, which other attacks try.
const LOOK: Duration = Duration::from_millis(4500);

async fn attack(arena: Arena, crossing: Crossing) -> Result<Tally, Problem> {
    crowd(&arena, AT_A_TIME, move |arena, number| async move {
        let mut tally = Tally::default();
        for turn in 0..arena.count(EACH) {
            if arena.is_over(&tally) {
                break;
            }
            tally.attempts += 1;
            let from = arena.source((turn * AT_A_TIME + number) % SOURCES);
            tally.refused += u64::from(cross(&arena, from, crossing).await?);
        }
        // Nobody answers what is not asked there.
        let all = tally.attempts == tally.refused;
        tally.check("each is closed", all, tally.refused);
        Ok(tally)
    })
    .await
}

/// Whether the victim closed.
async fn cross(
    arena: &Arena,
    from: std::net::Ipv4Addr,
    crossing: Crossing,
) -> Result<bool, Problem> {
    let options = &arena.options;
    if let Crossing::TlsToPlain = crossing {
        let nobody = credentials(&options.dir, None)?;
        return Ok(Raw::tls(from, &options.tcp, &nobody).await.is_err());
    }
    let to = match crossing {
        Crossing::PlainToTls => &options.tls,
        Crossing::PlainToHttp => &options.ws,
        _ => &options.tcp,
    };
    let Ok(mut raw) = Raw::tcp(from, to).await else {
        return Ok(true);
    };
    let said = match crossing {
        Crossing::HttpToPlain => format!("GET {PATH} HTTP/1.1\r\nHost: {HOST}\r\n\r\n").into(),
        _ => {
            let mut handshake = Claim::fresh(Tier::Native).handshake("127.0.0.2:1".to_owned());
            let name = handshake.poll_transmit().ok_or("nothing to say")?;
            let mut said = frames(&[name]).to_vec();
            // What waits for the end of a line gets one.
            said.extend_from_slice(b"\r\n\r\n");
            said
        }
    };
    let sent = raw.writer.bytes(&said).await;
    Ok(sent.is_err() || raw.reader.closed_within(LOOK).await)
}
