//! A peer that has a channel, and says on it what it should not.

use shiome_bus::{
    DropReason, Envelope, Incarnation, Level, MessageId, PeerId,
    wire::{Batch, Encoding, Frame},
};
use tokio::sync::mpsc;

use super::*;
use crate::{
    connection::{Config, Event},
    session::{Carrier, Context, DATAGRAM_LEN, Start, now, receive},
    signal::{Body, Purpose, SessionId, Signal},
};

/// What a rogue says, on which channel: `true` for the one that keeps all in order.
type Said = (bool, Vec<Frame>);

/// Opens a channel to `a`, and says what it is told. Ends when nobody tells it anything any more.
async fn rogue(context: Context, mut said: mpsc::Receiver<Said>, up: Arc<tokio::sync::Notify>) {
    let (signals, mut heard) = mpsc::channel(100);
    let peer = context.peer.upgrade().unwrap();
    let listens = peer.on("sys.rtc.>", move |delivery| {
        let signal = Signal::read(Purpose::Envelopes, delivery.intent()).unwrap();
        signals.try_send(signal.body).unwrap();
    });
    listens.unwrap().detach();
    let (remote, id) = (PeerId::new("a").unwrap(), SessionId::random());
    let mut carrier = Carrier::begin(&context, remote, id, &Start::Offer).await;
    let carrier = carrier
        .as_mut()
        .unwrap_or_else(|failure| panic!("{failure}"));
    let (sockets, mut buf) = (Arc::clone(&carrier.sockets), vec![0; DATAGRAM_LEN]);
    loop {
        carrier.gather(now());
        while let Some(event) = carrier.connection.poll_event() {
            match event {
                Event::Signal(body) => carrier.voice.say(body),
                Event::Up => up.notify_one(),
                Event::Ended(_) => return,
                _ => {}
            }
        }
        carrier.transmit(now());
        let timeout = tokio::time::sleep_until(carrier.timeout().into());
        let is_up = carrier.connection.has_room();
        tokio::select! {
            (socket, len, source) = receive(&sockets, &mut buf) => {
                carrier.receive_more(&*sockets[socket], &mut buf, len, source);
            }
            () = timeout => carrier.handle_timeout(now()),
            Some(body) = heard.recv() => {
                if body != Body::Switch {
                    carrier.handle_signal(now(), body);
                }
            }
            found = carrier.gathering.resolved() => carrier.handle_found(now(), found),
            failed = carrier.voice.run() => panic!("{failed}"),
            next = said.recv(), if is_up => {
                let Some((kept, frames)) = next else { return };
                let mut batch = Batch::new(Encoding::Binary);
                frames.iter().for_each(|frame| batch.push(frame));
                let message = batch.finish();
                match kept {
                    true => carrier.connection.write(now(), &message),
                    false => carrier.connection.write_loose(now(), &message),
                }
            }
        }
    }
}

struct Rogue {
    said: mpsc::Sender<Said>,
    peer: Peer,
    seq: u64,
}

impl Rogue {
    /// One that has a channel to `a`, from the bus of `b`.
    async fn new(world: &World) -> Self {
        let peer = world.b.bus.peer("rogue").unwrap();
        peer.wait_for("a", SECOND).await.unwrap();
        let options = Arc::new(friendly());
        let context = Context {
            peer: peer.downgrade(),
            config: Config::new(Purpose::Envelopes, peer.incarnation(), &options),
            options,
            net: world.sky.net("192.0.2.66"),
        };
        let (said, heard) = mpsc::channel(100);
        let up = Arc::new(tokio::sync::Notify::new());
        tokio::spawn(rogue(context, heard, Arc::clone(&up)));
        timeout(30 * SECOND, up.notified()).await.unwrap();
        Self { said, peer, seq: 0 }
    }

    fn number(&mut self, from: &str, to: &str, number: u64) -> Envelope {
        self.seq += 1;
        let id = MessageId {
            incarnation: Incarnation::new(self.peer.incarnation().get()).unwrap(),
            seq: self.seq,
        };
        let peer = |name| PeerId::new(name).unwrap();
        Envelope::new(
            id,
            peer(from),
            peer(to),
            Intent::new("number", number).unwrap(),
        )
    }

    async fn say(&self, kept: bool, envelope: Envelope) {
        self.said
            .send((kept, vec![Frame::Envelope(envelope)]))
            .await
            .unwrap();
    }
}

fn drops(machine: &Machine, reason: DropReason) -> usize {
    let drops = machine.bus.recent_drops();
    drops.iter().filter(|d| d.reason == reason).count()
}

#[tokio::test(start_paused = true)]
async fn nobody_speaks_for_others_on_a_channel() {
    let world = World::new();
    let mut rogue = Rogue::new(&world).await;
    for from in ["b", "a", "nobody"] {
        let forged = rogue.number(from, "a", 1);
        rogue.say(true, forged).await;
        let forged = rogue.number(from, "a", 2);
        rogue.say(false, forged).await;
    }
    let own = rogue.number("rogue", "a", 3);
    rogue.say(true, own).await;
    world.a.hears(1).await;
    tokio::time::sleep(SECOND).await;
    assert_eq!(world.a.heard(), [3]);
    assert_eq!(drops(&world.a, DropReason::Forged), 4);
    assert_eq!(drops(&world.a, DropReason::Echo), 2);
    // And whoever it named is reached as before.
    world.a.send(&world.b, 4).await;
    world.b.hears(1).await;
    assert_eq!(world.b.heard_over("memory"), 1);
}

/// An answer is that of who was asked.
#[tokio::test(start_paused = true)]
async fn nobody_answers_for_others_on_a_channel() {
    let world = World::new();
    let mut rogue = Rogue::new(&world).await;
    let heard = Arc::new(Mutex::new(None));
    let asked = Arc::clone(&heard);
    let listens = world.b.peer.on("mute", move |delivery| {
        *asked.lock().unwrap() = Some(delivery.envelope().id);
    });
    listens.unwrap().detach();
    world.a.peer.wait_for("b", SECOND).await.unwrap();
    let a = world.a.peer.clone();
    let request = tokio::spawn(async move {
        let options = shiome_bus::SendOptions::default().timeout(5 * SECOND);
        a.request_with("b", Intent::new("mute", ()).unwrap(), options)
            .await
    });
    wait("asked", || heard.lock().unwrap().is_some()).await;
    let id = heard.lock().unwrap().take();
    for from in ["b", "rogue"] {
        let mut forged = rogue.number(from, "a", 1);
        forged.reply_to = id;
        rogue.say(true, forged).await;
    }
    let answer = request.await.unwrap();
    assert!(
        matches!(answer, Err(shiome_bus::BusError::Timeout { .. })),
        "{answer:?}"
    );
}

/// Only what may be lost goes where it is: the rest is malformed.
#[tokio::test(start_paused = true)]
async fn what_waits_for_an_answer_is_malformed_on_the_channel_that_loses() {
    let mut world = World::new();
    let mut rogue = Rogue::new(&world).await;
    let mut handled = rogue.number("rogue", "a", 1);
    handled.level = Level::Handled;
    rogue.say(false, handled).await;
    let failure = world.a.relayed().await;
    assert!(matches!(failure, crate::Failure::Malformed(_)), "{failure}");
}
