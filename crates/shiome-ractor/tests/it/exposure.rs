//! Which actors peers hear of, and what they may do to them.

use ractor::{Actor, ActorProcessingErr, ActorRef, pg};
use shiome_ractor::{DefaultPolicy, ExportError, Expose, Node, PeerInfo, Policy, TargetInfo, Verb};
use shiome_wire::{
    control::control_message::Msg,
    node::{self, node_message},
};

use super::support::{COOKIE, ProbeMessage, RawPeer, arguments, probe, remote_members};

async fn explicit(name: &str) -> Node {
    let builder = Node::builder(format!("{name}@127.0.0.1:0")).cookie(COOKIE);
    builder.expose(Expose::Explicit).start().await.unwrap()
}

async fn with_policy(name: &str, policy: impl Policy) -> Node {
    let builder = Node::builder(format!("{name}@127.0.0.1:0")).cookie(COOKIE);
    builder.policy(policy).start().await.unwrap()
}

async fn joined(node: &Node, name: &str) -> (RawPeer, Vec<Msg>) {
    let mut peer = RawPeer::dial(node.server());
    peer.authenticate(name).await;
    let told = peer.synchronise().await;
    (peer, told)
}

/// What a node says of actors and groups.
#[derive(Debug, PartialEq)]
enum Told {
    Spawn(Vec<u64>),
    Join(String, Vec<u64>),
    Leave(String, Vec<u64>),
    Terminate(Vec<u64>),
}

fn told(message: Msg) -> Option<Told> {
    let pids = |actors: Vec<shiome_wire::control::Actor>| actors.iter().map(|a| a.pid).collect();
    match message {
        Msg::Spawn(spawn) => Some(Told::Spawn(pids(spawn.actors))),
        Msg::PgJoin(join) => Some(Told::Join(join.group, pids(join.actors))),
        Msg::PgLeave(leave) => Some(Told::Leave(leave.group, pids(leave.actors))),
        Msg::Terminate(gone) => Some(Told::Terminate(gone.ids)),
        _ => None,
    }
}

/// The next thing that the node says of actors and groups.
async fn next(peer: &mut RawPeer) -> Told {
    peer.expect(|message| told(message.into_control()?)).await
}

/// Whether a node with which others share the process has told of this actor.
fn tells_of(messages: Vec<Msg>, pid: u64) -> bool {
    messages
        .into_iter()
        .filter_map(told)
        .any(|told| match told {
            Told::Spawn(pids) | Told::Join(_, pids) => pids.contains(&pid),
            _ => false,
        })
}

fn pid(actor: &ActorRef<ProbeMessage>) -> u64 {
    actor.get_id().pid()
}

fn note(to: u64, text: &str) -> node_message::Msg {
    node_message::Msg::Cast(node::Cast {
        to,
        what: arguments(&[text.as_bytes()]),
        variant: "Note".to_owned(),
        metadata: None,
    })
}

fn echo(to: u64, tag: u64, variant: &str) -> node_message::Msg {
    node_message::Msg::Call(node::Call {
        to,
        tag,
        what: arguments(&[b"hello"]),
        variant: variant.to_owned(),
        timeout_ms: Some(1000),
        metadata: None,
    })
}

async fn reply(peer: &mut RawPeer) -> u64 {
    peer.expect(|message| match message.into_node()? {
        node_message::Msg::Reply(reply) => Some(reply.tag),
        _ => None,
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn what_was_not_exported_is_not_told() {
    let node = explicit("explicit").await;
    let (hidden, _hidden) = probe(Some("explicit-hidden")).await;
    let (shown, _shown) = probe(Some("explicit-shown")).await;
    let members = vec![hidden.get_cell(), shown.get_cell()];
    pg::join("explicit".into(), members);
    node.export(&shown).unwrap();

    let (mut peer, before) = joined(&node, "explicitpeer").await;
    let before: Vec<_> = before.into_iter().filter_map(told).collect();
    let both = [
        Told::Spawn(vec![pid(&shown)]),
        Told::Join("explicit".to_owned(), vec![pid(&shown)]),
    ];
    assert_eq!(before, both);

    // Neither what comes later, nor a group that it joins.
    let (later, _later) = probe(None).await;
    pg::join("explicit later".into(), vec![later.get_cell()]);
    node.export(&hidden).unwrap();
    let then = [next(&mut peer).await, next(&mut peer).await];
    let both = [
        Told::Spawn(vec![pid(&hidden)]),
        Told::Join("explicit".to_owned(), vec![pid(&hidden)]),
    ];
    assert_eq!(then, both);
    pg::join("explicit later".into(), vec![shown.get_cell()]);
    let join = Told::Join("explicit later".to_owned(), vec![pid(&shown)]);
    assert_eq!(next(&mut peer).await, join);
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_not_exported_cannot_be_addressed() {
    let node = explicit("unexported").await;
    let (hidden, mut hears) = probe(None).await;
    let (mut peer, _) = joined(&node, "unexportedpeer").await;
    peer.send(note(pid(&hidden), "guessed")).await;
    peer.ping(1).await;
    node.export(&hidden).unwrap();
    assert_eq!(next(&mut peer).await, Told::Spawn(vec![pid(&hidden)]));
    peer.send(note(pid(&hidden), "told")).await;
    assert_eq!(hears.recv().await.as_deref(), Some("told"));
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_back_is_gone_for_the_peer_until_it_is_exported_again() {
    let node = explicit("taken").await;
    let (actor, mut hears) = probe(None).await;
    let own = pid(&actor);
    pg::join("taken".into(), vec![actor.get_cell()]);
    node.export(&actor).unwrap();
    let (mut peer, before) = joined(&node, "takenpeer").await;
    assert!(tells_of(before, own));
    // Its reply is on its way when it is taken back.
    peer.send(echo(own, 1, "Echo")).await;
    assert_eq!(reply(&mut peer).await, 1);

    assert!(node.unexport(&actor));
    assert!(!node.unexport(&actor));
    peer.send(note(own, "late")).await;
    let gone = [next(&mut peer).await, next(&mut peer).await];
    let leave = Told::Leave("taken".to_owned(), vec![own]);
    assert_eq!(gone, [leave, Told::Terminate(vec![own])]);
    peer.send(note(own, "later")).await;
    peer.ping(1).await;

    node.export(&actor).unwrap();
    let back = [next(&mut peer).await, next(&mut peer).await];
    let join = Told::Join("taken".to_owned(), vec![own]);
    assert_eq!(back, [Told::Spawn(vec![own]), join]);
    peer.send(note(own, "again")).await;
    assert_eq!(hears.recv().await.as_deref(), Some("again"));

    // The end of what was taken back is told once, and the end of the actor is no other.
    assert!(node.unexport(&actor));
    actor.stop_and_wait(None, None).await.unwrap();
    let (other, _other) = probe(None).await;
    node.export(&other).unwrap();
    let mut rest = Vec::new();
    loop {
        match next(&mut peer).await {
            Told::Spawn(pids) if pids == [pid(&other)] => break,
            told => rest.push(told),
        }
    }
    peer.ping(2).await;
    let leave = Told::Leave("taken".to_owned(), vec![own]);
    assert_eq!(rest, [leave, Told::Terminate(vec![own])]);
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_is_exported_again_while_its_end_is_held_back_is_told_after_it() {
    let node = explicit("held").await;
    let (actor, _hears) = probe(None).await;
    let own = pid(&actor);
    node.export(&actor).unwrap();
    let (mut peer, _) = joined(&node, "heldpeer").await;
    peer.send(echo(own, 1, "Echo")).await;
    assert_eq!(reply(&mut peer).await, 1);
    // Its end waits for the reply to arrive; the session has seen to that when it tells of another.
    node.unexport(&actor);
    let (other, _other) = probe(None).await;
    node.export(&other).unwrap();
    assert_eq!(next(&mut peer).await, Told::Spawn(vec![pid(&other)]));
    node.export(&actor).unwrap();
    let then = [next(&mut peer).await, next(&mut peer).await];
    assert_eq!(then, [Told::Terminate(vec![own]), Told::Spawn(vec![own])]);
    peer.send(echo(own, 2, "Echo")).await;
    assert_eq!(reply(&mut peer).await, 2);
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_policy_can_let_one_peer_do_what_another_may_not() {
    let policy = |peer: &PeerInfo, actor: &TargetInfo, verb: Verb| {
        let concerned = actor.name.as_deref() == Some("judged");
        let denied = match peer.name.as_str() {
            "mute@raw" => matches!(verb, Verb::Cast | Verb::Call),
            "blind@raw" => verb == Verb::See,
            _ => false,
        };
        !(concerned && denied) && DefaultPolicy.allow(peer, actor, verb)
    };
    let node = with_policy("judging", policy).await;
    let (judged, mut hears) = probe(Some("judged")).await;
    pg::join("judged".into(), vec![judged.get_cell()]);
    let (mut mute, told_mute) = joined(&node, "mute").await;
    let (mut blind, told_blind) = joined(&node, "blind").await;
    let (mut free, told_free) = joined(&node, "free").await;
    let own = pid(&judged);
    assert!(tells_of(told_mute, own) && tells_of(told_free, own));
    assert!(!tells_of(told_blind, own), "neither alone nor in a group");

    for (peer, tag) in [(&mut mute, 1), (&mut blind, 2)] {
        peer.send(note(own, "denied")).await;
        peer.send(echo(own, tag, "Echo")).await;
        peer.ping(1).await;
    }
    // The blind one was stopped before the policy was asked.
    assert_eq!(node.denied(), 2);
    free.send(note(own, "allowed")).await;
    free.send(echo(own, 3, "Echo")).await;
    assert_eq!(reply(&mut free).await, 3);
    assert_eq!(hears.recv().await.as_deref(), Some("allowed"));
    assert!(hears.try_recv().is_err());
    assert_eq!(node.sessions().await.unwrap().len(), 3);
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_policy_is_told_whom_it_judges() {
    let (judged, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let policy = move |peer: &PeerInfo, actor: &TargetInfo, verb: Verb| {
        if verb == Verb::Cast {
            let _ = judged.send((peer.clone(), actor.clone()));
        }
        true
    };
    let node = with_policy("telling", policy).await;
    let (actor, mut hears) = probe(Some("told of")).await;
    node.export(&actor).unwrap();
    let (mut peer, _) = joined(&node, "tellingpeer").await;
    peer.send(note(pid(&actor), "hello")).await;
    hears.recv().await.unwrap();
    let (peer, target) = seen.recv().await.unwrap();
    let session = node.sessions().await.unwrap().remove(0);
    assert_eq!((peer.name, peer.node_id), (session.name, session.node_id));
    assert_eq!(peer.address, session.peer_addr);
    assert_eq!(target.name.as_deref(), Some("told of"));
    assert_eq!((target.pid, target.exported), (pid(&actor), true));
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_panics_has_said_no() {
    let policy = |_: &PeerInfo, actor: &TargetInfo, verb: Verb| {
        assert!(verb == Verb::See || actor.name.as_deref() != Some("panics"));
        true
    };
    let node = with_policy("panicking", policy).await;
    let (panics, mut hears) = probe(Some("panics")).await;
    let (fine, mut fine_hears) = probe(Some("fine")).await;
    let (mut peer, _) = joined(&node, "panickingpeer").await;
    peer.send(note(pid(&panics), "denied")).await;
    peer.send(note(pid(&fine), "allowed")).await;
    assert_eq!(fine_hears.recv().await.as_deref(), Some("allowed"));
    assert!(hears.try_recv().is_err());
    assert_eq!(node.denied(), 1);
    peer.ping(1).await;
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_cannot_be_decoded_leaves_an_exported_actor_alive() {
    let node = explicit("undecodable").await;
    let (actor, mut hears) = probe(None).await;
    node.export(&actor).unwrap();
    let (mut peer, _) = joined(&node, "undecodablepeer").await;
    peer.send(echo(pid(&actor), 1, "Nonsense")).await;
    peer.send(note(pid(&actor), "after it")).await;
    peer.send(echo(pid(&actor), 2, "Echo")).await;
    assert_eq!(reply(&mut peer).await, 2);
    assert_eq!(hears.recv().await.as_deref(), Some("after it"));
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_exported_is_told() {
    struct Mute;
    struct Local;
    impl ractor::Message for Local {}
    #[cfg_attr(feature = "async-trait", ractor::async_trait)]
    impl Actor for Mute {
        type Msg = Local;
        type State = ();
        type Arguments = ();

        async fn pre_start(
            &self,
            _myself: ActorRef<Local>,
            (): (),
        ) -> Result<(), ActorProcessingErr> {
            Ok(())
        }
    }
    let node = explicit("cannot").await;
    let (mute, _) = Actor::spawn(None, Mute, ()).await.unwrap();
    assert_eq!(node.export(&mute), Err(ExportError::NotRemotable));
    let (actor, _hears) = probe(None).await;
    let other = ActorRef::<String>::from(actor.get_cell());
    assert_eq!(node.export(&other), Err(ExportError::OtherType));
    actor.stop_and_wait(None, None).await.unwrap();
    assert_eq!(node.export(&actor), Err(ExportError::Ended));

    let mut peer = RawPeer::join(node.server(), "cannotpeer").await;
    peer.join_group("cannot", [5]).await;
    let remote = remote_members("cannot", 1).await.remove(0);
    let remote = ActorRef::<ProbeMessage>::from(remote);
    assert_eq!(node.export(&remote), Err(ExportError::Remote));
    assert!(!node.unexport(&remote));
    node.stop().await;
}
