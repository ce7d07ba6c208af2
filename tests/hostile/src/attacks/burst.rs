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

/// Bytes of the long frame, and of the empty ones behind it.
const LONG: u64 = shiome_wire::MAX_FRAME_LEN;
const EMPTY: u64 = 8 * 1024 * 1024;

async fn burst(arena: Arena) -> Result<Tally, Problem> {
    crowd(&arena, 2, |arena, number| async move {
        let mut tally = Tally::default();
        let mut peer = Peer::join(&arena, arena.source(number), TIERS[number as usize]).await?;
        // A field that nobody knows, of the length that is left: seven bytes are its own key and length.
        let (len, empty) = (arena.count(LONG), arena.count(EMPTY) / 8);
        let mut body = vec![0xfa, 0xff, 0x01];
        body.extend(varint(len - 7));
        body.resize(len as usize, 0);
        let long = frame(len, &body);
        let small = vec![0; 8 * empty as usize];
        for _ in 0..arena.count(10).max(2) {
            if arena.is_over(&tally) {
                break;
            }
            let sent = timeout(arena.left_for(&tally), async {
                peer.writer.bytes(&long).await?;
                peer.writer.bytes(&small).await
            });
            match sent.await {
                Ok(Ok(())) => tally.attempts += empty,
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

/// Below 2^28, in as many bytes whatever it is.
fn varint(value: u64) -> [u8; 4] {
    let bits = |at: u64| (value >> (7 * at)) as u8 & 0x7f;
    [bits(0) | 0x80, bits(1) | 0x80, bits(2) | 0x80, bits(3)]
}
