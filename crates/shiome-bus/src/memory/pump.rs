//! Moves what one end sends to the other.

use std::sync::Arc;

use tokio::{select, time::sleep_until};

use super::{
    conditions::Fate,
    end::{Frame, Side, Wires},
};
use crate::{BusError, mailbox::Receiver};

pub(super) async fn run(wires: Arc<Wires>, from: usize) {
    let (side, other) = (wires.side(from), wires.side(1 - from));
    let mut chances = wires.conditions.chances(from);
    let (mut receiver, mut late) = (Receiver::default(), None::<Frame>);
    loop {
        announce(&wires, side, other).await;
        let idle = receiver.is_empty();
        if let Some(late) = late.take_if(|_| idle && side.out.depth() == [0; 3]) {
            carry(&wires, side, other, late, false).await;
            continue;
        }
        select! {
            biased;
            there = receiver.ready(&side.out) => {
                if !there {
                    return;
                }
            }
            () = side.announced.notified() => continue,
        }
        let Some(frame) = receiver.next(&side.out) else {
            continue;
        };
        sleep_until(frame.due).await;
        match chances.next() {
            Fate::IsLost => side.done(false),
            Fate::ArrivesAfterTheNext if late.is_none() => {
                late = Some(frame);
                continue;
            }
            fate => carry(&wires, side, other, frame, fate == Fate::ArrivesTwice).await,
        }
        if let Some(late) = late.take() {
            carry(&wires, side, other, late, false).await;
        }
    }
}

async fn carry(wires: &Wires, side: &Side, other: &Side, frame: Frame, twice: bool) {
    wires.whole().await;
    let inbound = other.inbound().filter(|_| frame.epoch == wires.epoch());
    if let Some(inbound) = inbound {
        if twice {
            inbound.deliver(frame.envelope.clone()).await;
        }
        other.received();
        inbound.deliver(frame.envelope).await;
    } else if let Some(own) = side.inbound() {
        let to = frame.envelope.to.clone();
        own.lost(&frame.envelope, BusError::NotConnected(to));
    }
    side.done(inbound.is_some());
}

/// Tells the other end who came and went at this one.
async fn announce(wires: &Wires, side: &Side, other: &Side) {
    while let Some(told) = side.announcement() {
        wires.whole().await;
        let Some(inbound) = other.inbound() else {
            continue;
        };
        let mut peers = other.peers();
        peers.retain(|peer| *peer != told.peer);
        if !told.present {
            inbound.peer_down(&told.peer, told.incarnation);
        } else if inbound.peer_up(&told.peer, told.incarnation).is_ok() {
            peers.push(told.peer);
        }
    }
}
