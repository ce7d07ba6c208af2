//! The victim's own challenges, given back to it for an answer.

use std::time::Duration;

use shiome_wire::{
    auth::{self, authentication_message::Msg, server_status::Status},
    meta::NetworkMessage,
};
use tokio::{net::TcpListener, time::timeout};

use crate::{
    Problem,
    attack::{
        Arena, Attack, Tally, USUAL,
        crowd::crowd,
        peer::{Claim, Tier},
        raw::{PATIENCE, Raw},
    },
    told::tell,
};

pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        name: "reflect-dial",
        about: "the victim dials an attacker, which asks it for the answer to a challenge of the victim's own, for 4 s",
        bounds: USUAL,
        run: |arena| Box::pin(ask_back(arena)),
    },
    Attack {
        name: "reflect-mirror",
        about: "200 strangers say back to the victim what it says, up to 1000 connections within 4 s",
        bounds: USUAL,
        run: |arena| Box::pin(mirror(arena)),
    },
];

async fn ask_back(arena: Arena) -> Result<Tally, Problem> {
    let mut tally = Tally::default();
    let trap = TcpListener::bind((arena.source(0), 0)).await?;
    tell(&serde_json::json!({ "ask": format!("dial {}", trap.local_addr()?) }))?;
    let mut answers = 0;
    while let Ok(accepted) = timeout(arena.left_for(&tally), trap.accept()).await {
        let (stream, _) = accepted?;
        tally.attempts += 1;
        let mut dialled = Raw::new(stream);
        let (mut asked, challenge) = challenged(&arena, 1 + tally.attempts).await?;
        // Its name, which says what it speaks.
        let Some(_name) = timeout(PATIENCE, dialled.reader.next()).await? else {
            continue;
        };
        let ok = auth::ServerStatus {
            status: Status::Ok.into(),
        };
        let challenge = auth::Challenge {
            name: "trap@hostile".to_owned(),
            connection_string: "127.0.0.2:1".to_owned(),
            challenge,
            ..auth::Challenge::default()
        };
        dialled.writer.send(&[ok.into(), challenge.into()]).await?;
        match timeout(PATIENCE, dialled.reader.next()).await? {
            Some(answer) => {
                answers += 1;
                asked.writer.send(&[answer]).await?;
            }
            None => tally.refused += 1,
        }
    }
    tally.check("the victim dialled", tally.attempts > 0, tally.attempts);
    tally.check("no challenge of its own is answered", answers == 0, answers);
    Ok(tally)
}

/// A connection on which the victim awaits the answer to this challenge.
async fn challenged(arena: &Arena, number: u64) -> Result<(Raw, u32), Problem> {
    let mut raw = Raw::tcp(arena.source(number), &arena.options.tcp).await?;
    let claim = Claim::fresh(Tier::Legacy);
    let name = claim.handshake("127.0.0.2:1".to_owned()).poll_transmit();
    raw.writer.send(&[name.ok_or("nothing to say")?]).await?;
    loop {
        let message = timeout(PATIENCE, raw.reader.next())
            .await?
            .ok_or("closed")?;
        if let Some(Msg::ServerChallenge(challenge)) = message.into_auth() {
            return Ok((raw, challenge.challenge));
        }
    }
}

async fn mirror(arena: Arena) -> Result<Tally, Problem> {
    crowd(&arena, 8, |arena, number| async move {
        let mut tally = Tally::default();
        let mut acknowledged = 0;
        for turn in 0..arena.count(125) {
            if arena.is_over(&tally) {
                break;
            }
            tally.attempts += 1;
            let from = arena.source((turn * 8 + number) % 200);
            let Ok(mut raw) = Raw::tcp(from, &arena.options.tcp).await else {
                tally.refused += 1;
                continue;
            };
            let name = Claim::fresh(Tier::Native).handshake("127.0.0.2:1".to_owned());
            let mut next = { name }.poll_transmit();
            while let Some(message) = next.take() {
                if raw.writer.send(&[turned(message)]).await.is_err() {
                    break;
                }
                next = timeout(PATIENCE, raw.reader.next()).await?;
                let ack = next.clone().and_then(NetworkMessage::into_auth);
                acknowledged += u64::from(matches!(ack, Some(Msg::ServerAck(_))));
                if matches!(&ack, Some(Msg::ServerStatus(_))) {
                    next = timeout(PATIENCE, raw.reader.next()).await?;
                }
            }
            let closed = raw.reader.closed_within(Duration::from_secs(1)).await;
            tally.refused += u64::from(closed);
        }
        tally.check("none is acknowledged", acknowledged == 0, acknowledged);
        Ok(tally)
    })
    .await
}

/// What the victim said, as the other end would say it: its challenge for it to answer.
fn turned(message: NetworkMessage) -> NetworkMessage {
    match message.clone().into_auth() {
        Some(Msg::ServerChallenge(challenge)) => auth::ChallengeReply {
            challenge: challenge.challenge,
            digest: vec![0; 32].into(),
        }
        .into(),
        _ => message,
    }
}
