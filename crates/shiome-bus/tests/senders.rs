//! Who waits for room on a link, and in what order.
#![allow(clippy::unwrap_used, reason = "support code of tests")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use shiome_bus::{
    BoxFuture, Bus, BusError, Delivery, Envelope, Inbound, Incarnation, Intent, Level, Link,
    LinkKind, LinkOptions, LinkState, LinkStats, MessageId, PeerId, Priority, Remote,
};
use tokio::sync::{Notify, watch};

/// A link with as much room as the test says. What is urgent always finds some.
#[derive(Debug)]
struct Narrow {
    inbound: Mutex<Option<Arc<dyn Inbound>>>,
    taken: Mutex<Taken>,
    room: Notify,
    state: watch::Sender<LinkState>,
}

#[derive(Debug, Default)]
struct Taken {
    room: usize,
    /// Names and numbers of the envelopes.
    envelopes: Vec<(String, u64)>,
}

impl Narrow {
    /// A link of a bus to `eve`.
    fn attached(bus: &Bus) -> (Arc<Self>, Arc<dyn Inbound>) {
        let link = Arc::new(Self {
            inbound: Mutex::default(),
            taken: Mutex::default(),
            room: Notify::new(),
            state: watch::Sender::new(LinkState::Up),
        });
        let attached = Arc::clone(&link) as Arc<dyn Link>;
        bus.attach(attached, LinkOptions::default()).unwrap();
        let inbound = link.inbound.lock().unwrap().clone().unwrap();
        inbound.up(Remote::peer(eve()));
        inbound.peer_up(&eve(), life()).unwrap();
        (link, inbound)
    }

    /// There is room for so many more.
    fn make_room(&self, room: usize) {
        self.taken.lock().unwrap().room += room;
        self.room.notify_waiters();
    }

    fn names(&self) -> Vec<String> {
        let taken = self.taken.lock().unwrap();
        taken
            .envelopes
            .iter()
            .map(|(name, _)| name.clone())
            .collect()
    }
}

impl Link for Narrow {
    fn kind(&self) -> LinkKind {
        LinkKind::new("narrow")
    }

    fn start(&self, inbound: Arc<dyn Inbound>) -> Result<(), BusError> {
        *self.inbound.lock().unwrap() = Some(inbound);
        Ok(())
    }

    fn try_send(&self, envelope: &Envelope) -> Result<(), BusError> {
        let mut taken = self.taken.lock().unwrap();
        if envelope.reply_to.is_none() {
            let full = || BusError::QueueFull(envelope.to.clone());
            taken.room = taken.room.checked_sub(1).ok_or_else(full)?;
        }
        let name = envelope.intent.name().as_str().to_owned();
        taken.envelopes.push((name, envelope.id.seq));
        Ok(())
    }

    fn send<'a>(&'a self, _: &'a Envelope) -> BoxFuture<'a, Result<(), BusError>> {
        unreachable!("whoever waits for room sends in its turn")
    }

    fn room(&self) -> Option<BoxFuture<'_, ()>> {
        Some(Box::pin(self.room.notified()))
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), BusError>> {
        Box::pin(async { Ok(()) })
    }

    fn close(&self, _: Duration) -> BoxFuture<'_, Result<(), BusError>> {
        self.flush()
    }

    fn state(&self) -> watch::Receiver<LinkState> {
        self.state.subscribe()
    }

    fn peers(&self) -> Vec<PeerId> {
        vec![eve()]
    }

    fn stats(&self) -> LinkStats {
        LinkStats::new(self.kind())
    }

    fn local_peer(&self, _: &PeerId, _: Incarnation, _: bool) {}
}

fn eve() -> PeerId {
    PeerId::new("eve").unwrap()
}

fn life() -> Incarnation {
    Incarnation::new(1).unwrap()
}

fn intent(name: &str) -> Intent {
    Intent::new(name, ()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn who_waits_first_is_served_first_and_nobody_goes_before() {
    let bus = Bus::new();
    let (a, b) = (bus.peer("a").unwrap(), bus.peer("b").unwrap());
    let (link, _inbound) = Narrow::attached(&bus);
    let mut sends = Vec::new();
    for number in 0..4 {
        let peer = if number % 2 == 0 {
            a.clone()
        } else {
            b.clone()
        };
        sends.push(tokio::spawn(async move {
            let sent = peer.send("eve", intent(&format!("n{number}"))).await;
            sent.unwrap().id.seq
        }));
        tokio::task::yield_now().await;
    }
    link.make_room(2);
    // There is room, and somebody has waited for it.
    let refused = a.try_send("eve", intent("late")).unwrap_err();
    assert!(matches!(refused, BusError::QueueFull(_)), "{refused}");
    // One who no longer waits keeps nobody up.
    sends.remove(2).abort();
    link.make_room(1);
    let mut numbers = Vec::new();
    for sent in sends {
        numbers.push(sent.await.unwrap());
    }
    assert_eq!(link.names(), ["n0", "n1", "n3"]);
    link.make_room(1);
    a.try_send("eve", intent("late")).unwrap();
    let taken = link.taken.lock().unwrap();
    let told: Vec<_> = taken.envelopes.iter().map(|(_, seq)| *seq).collect();
    assert_eq!(told[..3], numbers, "receipts say the numbers that went");
}

#[tokio::test(start_paused = true)]
async fn what_had_to_wait_is_numbered_when_it_goes() {
    let bus = Bus::new();
    let a = bus.peer("a").unwrap();
    let answer = |delivery: Delivery| async move { delivery.respond("yes").await.map(drop) };
    a.on_async("ask", answer).unwrap().detach();
    let (link, inbound) = Narrow::attached(&bus);
    let waits = a.clone();
    let waits = tokio::spawn(async move { waits.request("eve", intent("waits")).await });
    tokio::task::yield_now().await;
    // Many of the same lane go before it.
    for seq in 1..=2000 {
        let id = MessageId {
            incarnation: life(),
            seq,
        };
        let mut asked = Envelope::new(id, eve(), a.id().clone(), intent("ask"));
        asked.level = Level::Answered;
        inbound.deliver(asked).await;
    }
    while link.names().len() < 2000 {
        tokio::task::yield_now().await;
    }
    link.make_room(1);
    while link.names().len() < 2001 {
        tokio::task::yield_now().await;
    }
    let numbers: Vec<_> = {
        let taken = link.taken.lock().unwrap();
        taken.envelopes.iter().map(|(_, seq)| *seq).collect()
    };
    assert!(numbers.is_sorted(), "{numbers:?}");
    // The answer to the new number is that to the request.
    let id = MessageId {
        incarnation: life(),
        seq: 3000,
    };
    let mut answer = Envelope::new(id, eve(), a.id().clone(), intent("answer"));
    answer.reply_to = Some(MessageId {
        incarnation: a.incarnation(),
        seq: numbers[2000],
    });
    answer.priority = Priority::Normal;
    inbound.deliver(answer).await;
    let answered = waits.await.unwrap().unwrap();
    assert_eq!(answered.intent().name().as_str(), "answer");
}
