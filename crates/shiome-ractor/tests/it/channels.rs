//! What programs of two nodes say to each other beside their actors.

use bytes::Bytes;
use shiome_ractor::{
    Channel, ChannelConfig, ChannelError, ChannelLink, Node, NodeEvent, SessionInfo,
};
use shiome_transport::{Links, Policy, memory::Network};
use shiome_wire::{
    control,
    native::{self, native_message},
};

use super::support::{COOKIE, RawPeer, node_server, sessions, spawn};

/// Two nodes of these names with a session, over memory; what `a` knows of it.
async fn nodes(names: [&str; 2]) -> (Node, Node, SessionInfo) {
    let network = Network::default();
    let links = |name: &str| Links::new(Policy::Any).with_scheme("mem", network.scheme(name));
    let builder = |name: &str| {
        Node::builder(format!("{name}@127.0.0.1:0"))
            .cookie(COOKIE)
            .links(links(name))
    };
    let a = builder(names[0]).start().await.unwrap();
    let at = format!("mem:{}", names[1]);
    let b = builder(names[1]).listen_at(&at).start().await.unwrap();
    let session = a.connect(&at).await.unwrap();
    (a, b, session)
}

fn open(node: &Node) -> Channel {
    node.channel("talk", ChannelConfig::default()).unwrap()
}

async fn accept(channel: &mut Channel) -> ChannelLink {
    channel.accept().await.expect("the node lives")
}

/// The peer's end of the channel `talk`.
fn talk(number: u64) -> native::ChannelOpen {
    native::ChannelOpen {
        number,
        name: "talk".to_owned(),
        max_message_len: 1000,
        window: 300_000,
    }
}

#[tokio::test]
async fn a_channel_is_there_with_every_peer_that_has_it_too() {
    let (a, b, _) = nodes(["chan-a", "chan-b"]).await;
    // Before and after there is a session, and each side first.
    let mut at_a = open(&a);
    let mut at_b = open(&b);
    let (mut to_b, mut to_a) = (accept(&mut at_a).await, accept(&mut at_b).await);
    assert_eq!(
        (&*to_b.peer().name, &*to_a.peer().name),
        (b.name(), a.name())
    );
    assert_eq!(to_b.max_message_len(), 1024 * 1024);
    let long = Bytes::from(vec![7; 1024 * 1024]);
    for message in [Bytes::from_static(b"hello"), Bytes::new(), long] {
        to_b.send(message.clone()).await.unwrap();
        to_a.sender().send(message.clone()).await.unwrap();
        assert_eq!(to_a.recv().await.unwrap(), message);
        assert_eq!(to_b.recv().await.unwrap(), message);
    }
    let (len, limit) = (1024 * 1024 + 1, 1024 * 1024);
    let too_long = to_b.send(vec![0; len as usize].into()).await;
    assert_eq!(too_long, Err(ChannelError::TooLong { len, limit }));
    let config = ChannelConfig::default();
    let twice = a.channel("talk", config).unwrap_err();
    assert_eq!(twice, ChannelError::NameInUse);
    assert_eq!(
        a.channel("", config).unwrap_err(),
        ChannelError::InvalidName
    );
}

#[tokio::test(start_paused = true)]
async fn a_program_that_does_not_read_holds_up_who_writes_and_nobody_else() {
    let (a, b, session) = nodes(["slow-a", "slow-b"]).await;
    let (mut at_a, mut at_b) = (open(&a), open(&b));
    let (to_b, mut to_a) = (accept(&mut at_a).await, accept(&mut at_b).await);
    let message = Bytes::from(vec![1; 100_000]);
    let sender = to_b.sender();
    let mut sent = 0;
    // Until the window and the queue of this side are full; the clock stands still while anything moves.
    let patience = std::time::Duration::from_millis(100);
    while let Ok(more) = tokio::time::timeout(patience, sender.send(message.clone())).await {
        more.unwrap();
        sent += 1;
    }
    let full = sender.try_send(message.clone());
    assert!(matches!(full, Err(ChannelError::Full { .. })), "{full:?}");
    let held = sent * message.len();
    assert!((4_000_000..6_000_000).contains(&held), "{held} bytes");
    // The session is none the worse.
    assert!(a.link(&session).is_some());
    let waits = tokio::spawn({
        let (sender, message) = (sender.clone(), message.clone());
        async move { sender.send(message).await }
    });
    for _ in 0..=sent {
        assert_eq!(to_a.recv().await.unwrap().len(), message.len());
    }
    waits.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_channel_ends_with_its_session_and_begins_with_the_next() {
    let (a, b, session) = nodes(["again-chan-a", "again-chan-b"]).await;
    let (mut at_a, mut at_b) = (open(&a), open(&b));
    let (mut to_b, mut to_a) = (accept(&mut at_a).await, accept(&mut at_b).await);
    let late = to_b.sender();
    session.disconnect();
    assert!(to_b.recv().await.is_none() && to_a.recv().await.is_none());
    let sent = late.send(Bytes::from_static(b"late")).await;
    assert_eq!(sent, Err(ChannelError::NotOpen));
    drop(to_b);
    let at = b.local_addresses().pop().unwrap();
    loop {
        // Its own end of the old session may not have gone yet.
        if a.connect(&at).await.is_ok() {
            break;
        }
    }
    let (to_b, mut to_a) = (accept(&mut at_a).await, accept(&mut at_b).await);
    to_b.send(Bytes::from_static(b"again")).await.unwrap();
    assert_eq!(to_a.recv().await.unwrap(), "again");
}

#[tokio::test]
async fn a_channel_that_is_dropped_is_closed_and_can_be_opened_again() {
    let (a, b, _) = nodes(["drop-chan-a", "drop-chan-b"]).await;
    let (mut at_a, mut at_b) = (open(&a), open(&b));
    let (mut to_b, mut to_a) = (accept(&mut at_a).await, accept(&mut at_b).await);
    drop(at_b);
    assert!(to_a.recv().await.is_none() && to_b.recv().await.is_none());
    let mut at_b = open(&b);
    let (to_b, mut to_a) = (accept(&mut at_a).await, accept(&mut at_b).await);
    to_b.send(Bytes::from_static(b"again")).await.unwrap();
    assert_eq!(to_a.recv().await.unwrap(), "again");
    // One link alone: the peer hears of it, and the others of the channel go on.
    drop(to_b);
    assert!(to_a.recv().await.is_none());
}

#[tokio::test]
async fn who_waits_for_peers_hears_that_the_node_has_stopped() {
    let (a, b, _) = nodes(["stop-chan-a", "stop-chan-b"]).await;
    let (mut at_a, mut at_b) = (open(&a), open(&b));
    let (mut to_b, mut to_a) = (accept(&mut at_a).await, accept(&mut at_b).await);
    let server = a.server().clone();
    a.stop().await;
    assert!(at_a.accept().await.is_none());
    assert!(to_b.recv().await.is_none() && to_a.recv().await.is_none());
    drop(server);
    let mut events = b.events();
    while !matches!(events.next().await, Some(NodeEvent::Disconnected(_))) {}
}

#[tokio::test(start_paused = true)]
async fn a_legacy_peer_never_hears_of_channels() {
    let a = Node::builder("quiet-chan@127.0.0.1:0").cookie(COOKIE);
    let a = a.start().await.unwrap();
    let mut channel = open(&a);
    let mut peer = RawPeer::dial(a.server());
    peer.authenticate("old").await;
    let mut told = peer.synchronise().await.len();
    let _late = a.channel("late", ChannelConfig::default()).unwrap();
    peer.ping(1).await;
    told += sessions(a.server()).await.len();
    assert!(told > 0);
    a.stop().await;
    let kinds: Vec<_> = peer
        .until_closed()
        .await
        .iter()
        .map(|message| message.kind())
        .collect();
    assert!(
        !kinds.iter().any(|kind| kind.contains("channel")),
        "{kinds:?}"
    );
    assert!(channel.accept().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_opens_and_closes_for_ever_piles_nothing_up() {
    let a = Node::builder("flap-chan@127.0.0.1:0").cookie(COOKIE);
    let a = a.start().await.unwrap();
    let mut channel = open(&a);
    let mut peer = RawPeer::join_native(a.server(), "flap", 1).await;
    let own = peer.expect_native(|message| match message {
        native_message::Msg::ChannelOpen(open) => Some(open),
        _ => None,
    });
    assert_eq!(own.await.name, "talk");
    for number in 1..=500 {
        peer.send(talk(number)).await;
        if number < 500 {
            peer.send(native::ChannelClose { number }).await;
        }
    }
    let data = native::ChannelData {
        number: 1,
        data: Bytes::from_static(b"the last"),
        more: false,
    };
    peer.send(data).await;
    peer.ping(1).await;
    // The one that is up, and none of those before.
    let mut link = channel.accept().await.unwrap();
    assert_eq!(link.recv().await.unwrap(), "the last");
    let more = tokio::time::timeout(std::time::Duration::from_secs(1), channel.accept());
    assert!(more.await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_flood_on_a_channel_ends_the_session_with_what_it_broke() {
    let server = node_server("flood-chan");
    let server = spawn(server).await;
    let mut peer = RawPeer::join_native(&server, "flood", 1).await;
    let number = 1;
    // Nobody has opened a channel here.
    peer.send(native::ChannelData {
        number,
        data: Bytes::from_static(b"x"),
        more: false,
    })
    .await;
    let last = peer.until_closed().await.pop().unwrap().into_native();
    match last {
        Some(native_message::Msg::Goodbye(goodbye)) => {
            assert_eq!(goodbye.reason(), native::goodbye::Reason::Protocol);
            assert!(goodbye.detail.contains("no such channel"), "{goodbye:?}");
        }
        other => panic!("{other:?}"),
    }

    let a = Node::builder("flood-chan-a@127.0.0.1:0").cookie(COOKIE);
    let a = a.start().await.unwrap();
    let mut channel = open(&a);
    let mut peer = RawPeer::join_native(a.server(), "flood-2", 1).await;
    peer.send(talk(number)).await;
    let link = channel.accept().await.unwrap();
    let data = Bytes::from(vec![0; 60_000]);
    for _ in 0..80 {
        peer.send(native::ChannelData {
            number,
            data: data.clone(),
            more: false,
        })
        .await;
    }
    peer.send(control::Ready {}).await;
    let last = peer.until_closed().await.pop().unwrap().into_native();
    match last {
        Some(native_message::Msg::Goodbye(goodbye)) => {
            assert!(goodbye.detail.contains("granted"), "{goodbye:?}");
        }
        other => panic!("{other:?}"),
    }
    drop(link);
}
