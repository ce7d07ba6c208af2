//! Guesses of the cookie.

use std::time::{Duration, Instant};

use shiome_handshake::HandshakeError;
use tokio::time::{sleep, timeout};

use crate::{
    Problem,
    attack::{
        Arena, Attack, Bounds, GivenUp, Tally, USUAL,
        crowd::crowd,
        peer::{Claim, TIERS},
        raw::{PATIENCE, Raw},
    },
};

pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        name: "cookie-one",
        about: "one address guesses the cookie as fast as it can, 8 guesses at a time, up to 20000 within 4 s",
        bounds: USUAL,
        run: |arena| Box::pin(attack(arena, 1, From::Others)),
    },
    Attack {
        name: "cookie-many",
        about: "100 addresses guess the cookie as fast as they can, up to 20000 guesses within 4 s",
        bounds: USUAL,
        run: |arena| Box::pin(attack(arena, 100, From::Others)),
    },
    Attack {
        name: "cookie-shared",
        about: "the good peer's own address guesses the cookie, up to 20000 guesses within 4 s: the good peer's session \
                stays, and a newcomer from there waits with the guesser",
        bounds: Bounds {
            given_up: GivenUp::Newcomer,
            ..USUAL
        },
        run: |arena| Box::pin(attack(arena, 1, From::Good)),
    },
];

/// Whose address it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Others,
    Good,
}

const GUESSES: u64 = 20_000;
const AT_A_TIME: u64 = 8;

async fn attack(arena: Arena, sources: u64, whose: From) -> Result<Tally, Problem> {
    let guessers = AT_A_TIME.max(sources);
    let each = GUESSES / guessers;
    let mut tally = crowd(&arena, guessers, move |arena, number| async move {
        let from = match whose {
            From::Others => arena.source(number % sources),
            From::Good => std::net::Ipv4Addr::LOCALHOST,
        };
        let mut tally = Tally::default();
        for turn in 0..each {
            if arena.is_over(&tally) {
                break;
            }
            tally.attempts += 1;
            match guess(&arena, from, turn).await? {
                Guess::AtTheDoor => {
                    tally.refused += 1;
                    sleep(REST).await;
                }
                Guess::Checked => {}
                Guess::Right => tally.check("no guess is right", false, "one was"),
            }
        }
        Ok(tally)
    })
    .await?;
    let reached = tally.attempts - tally.refused;
    tally.note(format!("{reached} guesses reached the cookie"));
    // Three that are free, and those that are under way at the begin and after the penalties of 1 s and 2 s.
    let most = sources * (3 + 3 * AT_A_TIME);
    if !arena.options.small {
        tally.check(
            "guesses that reach the cookie are few",
            reached <= most,
            reached,
        );
    }
    Ok(tally)
}

enum Guess {
    AtTheDoor,
    Checked,
    Right,
}

/// At the door, to try again soon.
const REST: Duration = Duration::from_millis(2);

async fn guess(arena: &Arena, from: std::net::Ipv4Addr, turn: u64) -> Result<Guess, Problem> {
    let Ok(mut raw) = Raw::tcp(from, &arena.options.tcp).await else {
        return Ok(Guess::AtTheDoor);
    };
    let mut claim = Claim::fresh(TIERS[(turn % 2) as usize]);
    claim.cookie = format!("guess {turn}");
    let mut handshake = claim.handshake("127.0.0.2:1".to_owned());
    let mut challenged = false;
    loop {
        while let Some(message) = handshake.poll_transmit() {
            if raw.writer.send(&[message]).await.is_err() {
                return Ok(if challenged {
                    Guess::Checked
                } else {
                    Guess::AtTheDoor
                });
            }
        }
        while let Some(event) = handshake.poll_event() {
            challenged |= matches!(event, shiome_handshake::Event::PeerNamed(_));
        }
        let message = match timeout(PATIENCE, raw.reader.next()).await? {
            Some(message) => message,
            None if challenged => return Ok(Guess::Checked),
            None => return Ok(Guess::AtTheDoor),
        };
        match handshake.handle_message(Instant::now(), message) {
            Ok(()) if handshake.is_authenticated() => return Ok(Guess::Right),
            Ok(()) => {}
            // It has proven what it knows, to one who does not.
            Err(HandshakeError::WrongDigest) => return Ok(Guess::Right),
            Err(error) => return Err(error.into()),
        }
    }
}
