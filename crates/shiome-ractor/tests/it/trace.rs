//! Metadata of messages, with a trace context and with what is none.

use bytes::Bytes;
use ractor::{
    Actor, ActorProcessingErr, ActorRef, BytesConvertable, Message, message::SerializedMessage,
};
use shiome_ractor::{Node, RemoteRef, node::NodeSessionMessage};
use shiome_wire::{
    node::{self, node_message::Msg},
    trace::{MAGIC, TraceContext, is_wrapped, unwrap, wrap},
};
use tokio::sync::mpsc;

use super::support::{COOKIE, RawPeer, remote_members, sessions};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A message that is nothing but metadata, by hand.
#[derive(Debug, PartialEq)]
struct Bare(Option<Vec<u8>>);

impl Message for Bare {
    fn serializable() -> bool {
        true
    }

    fn serialize(self) -> Result<SerializedMessage, ractor::message::BoxedDowncastErr> {
        Ok(SerializedMessage::Cast {
            variant: "Bare".to_owned(),
            args: ().into_bytes(),
            metadata: self.0,
        })
    }

    fn deserialize(message: SerializedMessage) -> Result<Self, ractor::message::BoxedDowncastErr> {
        match message {
            SerializedMessage::Cast { metadata, .. } => Ok(Self(metadata)),
            _ => Err(ractor::message::BoxedDowncastErr),
        }
    }
}

/// Passes on the metadata of what it gets.
struct Reader(mpsc::UnboundedSender<Option<Vec<u8>>>);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Reader {
    type Msg = Bare;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _myself: ActorRef<Bare>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _myself: ActorRef<Bare>,
        message: Bare,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(self.0.send(message.0)?)
    }
}

async fn reader() -> (ActorRef<Bare>, mpsc::UnboundedReceiver<Option<Vec<u8>>>) {
    let (heard, hears) = mpsc::unbounded_channel();
    let (reader, _) = Actor::spawn(None, Reader(heard), ()).await.unwrap();
    (reader, hears)
}

async fn start(name: &str) -> Node {
    let address = format!("{name}@127.0.0.1:0");
    Node::builder(address).cookie(COOKIE).start().await.unwrap()
}

fn cast(to: u64, metadata: Option<Bytes>) -> node::Cast {
    node::Cast {
        to,
        metadata,
        variant: "Bare".to_owned(),
        ..node::Cast::default()
    }
}

fn context() -> TraceContext {
    TraceContext {
        parent: PARENT.parse().unwrap(),
        state: "rojo=1".parse().unwrap(),
    }
}

fn magic(rest: &[u8]) -> Bytes {
    [&MAGIC, rest].concat().into()
}

#[tokio::test(start_paused = true)]
async fn the_context_of_a_peer_never_reaches_the_program_and_a_wrong_one_harms_no_message() {
    let node = start("trace-in").await;
    let (actor, mut hears) = reader().await;
    let pid = actor.get_id().pid();
    let mut peer = RawPeer::join_native(node.server(), "trace-in-peer", 1).await;
    let own = Some(Bytes::from_static(b"own"));
    let malformed = || node.inspect().sessions()[0].malformed_traces;

    for metadata in [None, own.clone(), Some(Bytes::new())] {
        peer.send(cast(pid, metadata.clone())).await;
        assert_eq!(hears.recv().await.unwrap().as_deref(), metadata.as_deref());
        let traced = wrap(Some(&context()), metadata.clone());
        peer.send(cast(pid, traced)).await;
        assert_eq!(hears.recv().await.unwrap().as_deref(), metadata.as_deref());
    }
    assert_eq!(malformed(), 0);

    let broken = wrap(Some(&context()), own.clone()).unwrap().to_vec();
    let mut upper = broken.clone();
    upper[14..30].make_ascii_uppercase();
    peer.send(cast(pid, Some(upper.into()))).await;
    assert_eq!(hears.recv().await.unwrap().as_deref(), own.as_deref());
    assert_eq!(malformed(), 1);
    // Nothing can be told apart where the lengths are wrong.
    for cut in [magic(b""), magic(b"\x01\xff"), magic(b"\x02\0\0\0own")] {
        peer.send(cast(pid, Some(cut.clone()))).await;
        assert_eq!(hears.recv().await.unwrap(), Some(cut.to_vec()));
    }
    assert_eq!(malformed(), 4);
    assert_eq!(node.inspect().sessions().len(), 1, "the session goes on");
    assert_eq!(node.inspect().peers()[0].malformed_traces, 4);
    actor.stop(None);
}

#[tokio::test(start_paused = true)]
async fn metadata_of_a_legacy_peer_is_its_programs_whatever_it_looks_like() {
    let node = start("trace-legacy").await;
    let (actor, mut hears) = reader().await;
    let mut peer = RawPeer::join(node.server(), "trace-legacy-peer").await;
    let wrapped = wrap(Some(&context()), None);
    for metadata in [None, Some(Bytes::from_static(b"own")), wrapped] {
        peer.send(cast(actor.get_id().pid(), metadata.clone()))
            .await;
        assert_eq!(hears.recv().await.unwrap().as_deref(), metadata.as_deref());
    }
    assert_eq!(node.inspect().sessions()[0].malformed_traces, 0);

    // Nor is anything added to what goes there, or taken away.
    peer.announce([(17, "reader")]).await;
    peer.join_group("trace-legacy", [17]).await;
    let actor_there: ActorRef<Bare> = remote_members("trace-legacy", 1).await.remove(0).into();
    for metadata in [None, Some(b"own".to_vec()), Some(magic(b"own").to_vec())] {
        actor_there.cast(Bare(metadata.clone())).unwrap();
        let cast = peer.expect_cast().await;
        assert_eq!(cast.metadata.as_deref(), metadata.as_deref());
    }
    actor.stop(None);
}

#[tokio::test(start_paused = true)]
async fn metadata_of_the_program_arrives_as_it_was_given() {
    let node = start("trace-out").await;
    let mut peer = RawPeer::join_native(node.server(), "trace-out-peer", 1).await;
    peer.announce([(17, "reader")]).await;
    peer.ping(1).await;
    let session = node.sessions().await.unwrap().remove(0);
    let handle: RemoteRef<Bare> = node.remote(&session, "reader").unwrap();
    for metadata in [None, Some(b"own".to_vec()), Some(Vec::new())] {
        handle.cast(Bare(metadata.clone())).await.unwrap();
        let cast = peer.expect_cast().await;
        assert_eq!(cast.metadata.as_deref(), metadata.as_deref());
    }
    // What the peer would take for a context is wrapped, and so arrives as it is.
    let odd = magic(b"own");
    handle.try_cast(Bare(Some(odd.to_vec()))).unwrap();
    let unwrapped = unwrap(peer.expect_cast().await.metadata.unwrap());
    assert_eq!((unwrapped.context, unwrapped.metadata), (None, Some(odd)));
}

#[tokio::test(start_paused = true)]
async fn metadata_of_a_message_by_hand_arrives_as_it_was_given() {
    let node = start("trace-by-hand").await;
    let mut native = RawPeer::join_native(node.server(), "trace-by-hand-1", 1).await;
    let mut legacy = RawPeer::join(node.server(), "trace-by-hand-2").await;
    for peer in sessions(node.server()).await {
        for metadata in [None, Some(Bytes::from_static(b"own")), Some(magic(b"own"))] {
            let call = node::Call {
                to: 17,
                metadata: metadata.clone(),
                ..node::Call::default()
            };
            for msg in [Msg::Cast(cast(17, metadata)), Msg::Call(call)] {
                let message = node::NodeMessage { msg: Some(msg) };
                let send = NodeSessionMessage::SendMessage(message);
                peer.actor.cast(send).unwrap();
            }
        }
    }
    let odd = Some(magic(b"own"));
    for own in [None, Some(Bytes::from_static(b"own")), odd] {
        let is_odd = own.as_deref().is_some_and(is_wrapped);
        let got = [
            native.expect_cast().await.metadata,
            native.expect_call().await.metadata,
        ];
        for metadata in got {
            assert_eq!(metadata != own, is_odd, "{metadata:?}");
            let unwrapped = metadata.map(unwrap);
            let context = unwrapped.as_ref().and_then(|u| u.context.as_ref());
            assert_eq!(context, None);
            assert_eq!(unwrapped.and_then(|u| u.metadata), own);
        }
        assert_eq!(legacy.expect_cast().await.metadata, own);
        assert_eq!(legacy.expect_call().await.metadata, own);
    }
}
