//! Very many very small messages at once, where there is room for them because something long has come before.

use tokio::time::timeout;

use crate::{
    Problem,
    attack::{
        Arena, Attack, Tally, USUAL,
        crowd::crowd,
        peer::{Peer, TIERS},
        raw::frame,
    },
};

pub(crate) const ATTACKS: &[Attack] = &[Attack {
    name: "burst",
    about: "a legacy and a native peer send a frame of 16 MiB and then 8 MiB of empty ones at once, up to 20 times within 4 s",
    bounds: crate::attack::Bounds {
        // A frame of 16 MiB a peer, and the buffer for it.
        peak_mib: 96,
        ..USUAL
    },
    run: |arena| Box::pin(burst(arena)),
}];

const LONG: u64 = shiome_wire::MAX_FRAME_LEN;
const SMALL: usize = 8 * 1024 * 1024;

async fn burst(arena: Arena) -> Result<Tally, Problem> {
    crowd(&arena, 2, |arena, number| async move {
        let mut tally = Tally::default();
        let mut peer = Peer::join(&arena, arena.source(number), TIERS[number as usize]).await?;
        // A field that nobody knows, of the length that is left: four bytes are its own key and length.
        let mut body = vec![0xfa, 0xff, 0x01];
        body.extend(varint(LONG - 7));
        body.resize(LONG as usize, 0);
        let long = frame(LONG, &body);
        let small = vec![0; SMALL];
        for _ in 0..arena.count(10).max(2) {
            if arena.is_over() {
                break;
            }
            let sent = timeout(arena.left(), async {
                peer.writer.bytes(&long).await?;
                peer.writer.bytes(&small).await
            });
            match sent.await {
                Ok(Ok(())) => tally.attempts += SMALL as u64 / 8,
                _ => break,
            }
        }
        tally.check(
            "the session goes on",
            !peer.heard.is_closed(),
            peer.heard.goodbye(),
        );
        Ok(tally)
    })
    .await
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
