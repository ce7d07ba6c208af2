//! A node that knows the cookie, and speaks about the bus by hand.

use bytes::Bytes;
use shiome_bus::{
    DropReason, Envelope, ErrorKind, Incarnation, Intent, MessageId,
    wire::{Batch, Encoding, Frame, Message, Presence, decode},
};
use shiome_bus_cluster::CHANNEL;
use shiome_ractor::{Channel, ChannelConfig, ChannelLink, Node};
use shiome_transport::memory::Network;

use super::support::{SOON, builder, id, inbox, intent, kind, linked, until};

struct Raw {
    node: Node,
    _channel: Channel,
    link: ChannelLink,
}

async fn raw(network: &Network, name: &str, to: &str) -> Raw {
    let node = builder(network, name).start().await.unwrap();
    let mut channel = node.channel(CHANNEL, ChannelConfig::default()).unwrap();
    node.connect(format!("mem:{to}")).await.unwrap();
    let link = channel.accept().await.unwrap();
    Raw {
        node,
        _channel: channel,
        link,
    }
}

fn message(frames: &[Frame]) -> Bytes {
    let mut batch = Batch::new(Encoding::Binary);
    frames.iter().for_each(|frame| batch.push(frame));
    Bytes::copy_from_slice(batch.finish().as_bytes())
}

fn here(names: &[&str]) -> Frame {
    let mut presence = Presence::default();
    presence.all = true;
    let names = names.iter();
    presence.present = names.map(|name| (id(name), life())).collect();
    Frame::Presence(presence)
}

fn life() -> Incarnation {
    Incarnation::new(1).unwrap()
}

fn envelope(from: &str, to: &str, seq: u64) -> Frame {
    let incarnation = life();
    let id_of = MessageId { incarnation, seq };
    Frame::Envelope(Envelope::new(id_of, id(from), id(to), intent("x")))
}

impl Raw {
    async fn say(&self, frames: &[Frame]) {
        self.link.send(message(frames)).await.unwrap();
    }

    /// What is answered, up to the answer to a ping that is said now.
    async fn answers(&mut self) -> Vec<Frame> {
        let nonce = 77;
        self.say(&[Frame::Ping { nonce }]).await;
        let mut answers = Vec::new();
        loop {
            let message = self.link.recv().await.expect("the link stays");
            for frame in decode(&Message::Binary(message)).unwrap() {
                match frame {
                    Frame::Pong { nonce: 77 } => return answers,
                    frame => answers.push(frame),
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_speaks_for_those_that_it_has_told_of_and_for_nobody_else() {
    let network = Network::default();
    let a = linked(&network, "forge-a").await;
    let alice = a.peer("alice");
    let mut heard = inbox(&alice);
    let mut eve = raw(&network, "forge-eve", "forge-a").await;
    eve.say(&[
        here(&["mallory"]),
        envelope("mallory", "alice", 1),
        envelope("trent", "alice", 2),
        envelope("alice", "alice", 3),
        envelope("mallory", "alice", 1),
        envelope("mallory", "nobody", 4),
    ])
    .await;
    eve.answers().await;
    assert_eq!(heard.recv().await.unwrap().from(), &id("mallory"));
    assert!(heard.try_recv().is_err());
    for (reason, count) in [
        (DropReason::Forged, 1),
        (DropReason::Echo, 1),
        (DropReason::Duplicate, 1),
        (DropReason::NodeNotFound, 1),
    ] {
        assert_eq!(a.bus.dropped(reason), count, "{reason:?}");
    }
    // She goes, and so does what she may say.
    let mut presence = Presence::default();
    presence.absent.push(id("mallory"));
    eve.say(&[Frame::Presence(presence), envelope("mallory", "alice", 5)])
        .await;
    eve.answers().await;
    assert_eq!(a.bus.dropped(DropReason::Forged), 2);
}

#[tokio::test(start_paused = true)]
async fn names_that_are_here_are_refused_and_those_that_never_were_cannot_be() {
    let network = Network::default();
    let a = linked(&network, "claim-a").await;
    let alice = a.peer("alice");
    let mut eve = raw(&network, "claim-eve", "claim-a").await;
    eve.say(&[here(&["alice", "eve"])]).await;
    let refused: Vec<_> = eve
        .answers()
        .await
        .into_iter()
        .filter_map(|frame| match frame {
            Frame::Refused(refused) => refused.id,
            _ => None,
        })
        .collect();
    assert_eq!(refused, [id("alice")]);
    assert_eq!(alice.peers(), [id("eve")]);
    // Refusals of peers that are not here are not remembered.
    let mut refused = shiome_bus::wire::Refused::new(shiome_bus::wire::CloseReason::NameTaken);
    for number in 0..100 {
        refused.id = Some(id(&format!("nobody-{number}")));
        eve.say(&[Frame::Refused(refused.clone())]).await;
    }
    eve.answers().await;
    assert!(a.links.taken().is_empty());
    refused.id = Some(id("alice"));
    eve.say(&[Frame::Refused(refused)]).await;
    eve.answers().await;
    assert_eq!(a.links.taken().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_message_of_the_bus_ends_the_link_and_leaves_the_session() {
    let network = Network::default();
    let a = linked(&network, "junk-a").await;
    let alice = a.peer("alice");
    for (number, junk) in [
        Bytes::from_static(b"\x01\x7f"),
        Bytes::from_static(b"[{\"type\":\"ping\",\"nonce\":1}]"),
        Bytes::from(vec![0xff; 100_000]),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("junk-eve-{number}");
        let mut eve = raw(&network, &name, "junk-a").await;
        eve.say(&[here(&["eve"])]).await;
        eve.answers().await;
        assert!(alice.reachable("eve"));
        eve.link.send(junk).await.unwrap();
        let mut last = None;
        while let Some(message) = eve.link.recv().await {
            last = decode(&Message::Binary(message)).unwrap().pop();
        }
        assert!(matches!(last, Some(Frame::Goodbye(_))), "{last:?}");
        until(|| !alice.reachable("eve") && a.bus.links().is_empty()).await;
        assert_eq!(a.bus.dropped(DropReason::Malformed), number as u64 + 1);
        assert_eq!(eve.node.sessions().await.unwrap().len(), 1);
    }
    assert_eq!(
        kind(alice.send("eve", intent("x")).await),
        ErrorKind::NodeNotFound
    );
}

#[tokio::test(start_paused = true)]
async fn a_node_that_reads_nothing_is_owed_little() {
    let network = Network::default();
    let a = linked(&network, "deaf-a").await;
    let alice = a.peer("alice");
    let eve = raw(&network, "deaf-eve", "deaf-a").await;
    eve.say(&[here(&["eve"])]).await;
    alice.wait_for(&id("eve"), SOON).await.unwrap();
    // She asks for answers for ever, and takes none.
    for _ in 0..200 {
        let pings: Vec<_> = (0..1000).map(|nonce| Frame::Ping { nonce }).collect();
        eve.say(&pings).await;
    }
    // What is sent to her waits, up to the limit.
    let long = Intent::new("x", "x".repeat(500_000)).unwrap();
    let mut sent = 0;
    let patience = std::time::Duration::from_secs(1);
    while let Ok(result) = tokio::time::timeout(patience, alice.send("eve", long.clone())).await {
        result.unwrap();
        sent += 1;
    }
    // The window of the channel, and what waits for it here.
    assert!((8..24).contains(&sent), "{sent} messages of 500 kB");
    let full = alice.try_send("eve", long);
    assert_eq!(kind(full), ErrorKind::QueueFull);
    // The others are none the worse.
    let b = linked(&network, "deaf-b").await;
    let bob = b.peer("bob");
    b.dial(&a).await;
    alice.wait_for(bob.id(), SOON).await.unwrap();
    alice.ping("bob", SOON).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_longer_than_the_other_takes_is_told_to_who_sends_it() {
    let network = Network::default();
    let a = linked(&network, "long-a").await;
    let alice = a.peer("alice");
    let node = builder(&network, "long-eve").start().await.unwrap();
    let mut config = ChannelConfig::default();
    config.max_message_len = 70_000;
    let mut channel = node.channel(CHANNEL, config).unwrap();
    node.connect("mem:long-a").await.unwrap();
    let link = channel.accept().await.unwrap();
    link.send(message(&[here(&["eve"])])).await.unwrap();
    alice.wait_for(&id("eve"), SOON).await.unwrap();
    let long = Intent::new("x", "x".repeat(70_000)).unwrap();
    assert_eq!(
        kind(alice.send("eve", long).await),
        ErrorKind::PayloadTooLarge
    );
    let fits = Intent::new("x", "x".repeat(60_000)).unwrap();
    alice.send("eve", fits).await.unwrap();
}
