use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, RpcReplyPort};
use shiome_derive::RactorClusterMessage;
use shiome_transport::Security;

use super::*;

#[derive(RactorClusterMessage)]
#[cluster(crate = ::ractor)]
enum Job {
    Work(u8),
    #[rpc]
    Ask(RpcReplyPort<u8>),
}

struct Worker;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Worker {
    type Msg = Job;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _myself: ActorRef<Job>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _myself: ActorRef<Job>,
        job: Job,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        match job {
            Job::Work(number) => assert!(number < 100, "it is a number of a job"),
            Job::Ask(port) => port.send(7)?,
        }
        Ok(())
    }
}

async fn worker() -> ActorRef<Job> {
    Actor::spawn(None, Worker, ()).await.unwrap().0
}

fn peer() -> PeerInfo {
    PeerInfo {
        is_bound: false,
        name: "peer@h".to_owned(),
        address: "h:1".to_owned(),
        node_id: 1,
        security: Security::Plain,
    }
}

fn cast(variant: &str, args: &[u8]) -> SerializedMessage {
    SerializedMessage::Cast {
        variant: variant.to_owned(),
        args: args.to_vec(),
        metadata: None,
    }
}

const ONE_BYTE: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 1, 9];

#[tokio::test]
async fn an_exported_actor_gets_what_can_be_decoded_and_the_rest_is_known_at_once() {
    for mode in [Expose::Remotable, Expose::Explicit] {
        let exposure = Exposure::new(mode, None);
        let worker = worker().await;
        let pid = worker.get_id().pid();
        exposure.export(&worker).unwrap();
        let mut targets = Targets::default();
        let mut deliver = |message| exposure.deliver(&peer(), &mut targets, pid, message);
        assert_eq!(deliver(cast("Work", ONE_BYTE)), Delivery::Delivered);
        for (variant, args) in [("Work", &b""[..]), ("Play", ONE_BYTE), ("Ask", b"")] {
            assert_eq!(deliver(cast(variant, args)), Delivery::Undecodable);
        }
        let (port, reply) = tokio::sync::oneshot::channel();
        let call = SerializedMessage::Call {
            variant: "Ask".to_owned(),
            args: Vec::new(),
            reply: port.into(),
            metadata: None,
        };
        assert_eq!(deliver(call), Delivery::Delivered);
        assert_eq!(reply.await.unwrap(), [7]);
        worker.stop_and_wait(None, None).await.unwrap();
        let gone = Delivery::Refused(Refusal::Gone);
        assert_eq!(deliver(cast("Work", ONE_BYTE)), gone);
    }
}

#[tokio::test]
async fn bytes_that_panic_are_undecodable() {
    struct Strings;
    #[cfg_attr(feature = "async-trait", ractor::async_trait)]
    impl Actor for Strings {
        type Msg = String;
        type State = ();
        type Arguments = ();

        async fn pre_start(
            &self,
            _myself: ActorRef<String>,
            (): (),
        ) -> Result<(), ActorProcessingErr> {
            Ok(())
        }
    }
    let exposure = Exposure::default();
    let (strings, _) = Actor::spawn(None, Strings, ()).await.unwrap();
    exposure.export(&strings).unwrap();
    let pid = strings.get_id().pid();
    let mut targets = Targets::default();
    let mut deliver = |args| exposure.deliver(&peer(), &mut targets, pid, cast("", args));
    assert_eq!(deliver(b"\xff"), Delivery::Undecodable);
    assert_eq!(deliver(b"text"), Delivery::Delivered);
    strings.stop(None);
}

#[tokio::test]
async fn what_is_taken_back_gets_nothing() {
    let exposure = Exposure::new(Expose::Explicit, None);
    let worker = worker().await;
    let pid = worker.get_id().pid();
    let gone = Delivery::Refused(Refusal::Gone);
    let mut targets = Targets::default();
    let mut deliver = || exposure.deliver(&peer(), &mut targets, pid, cast("Work", ONE_BYTE));
    assert_eq!(deliver(), gone);
    exposure.export(&worker).unwrap();
    assert_eq!(deliver(), Delivery::Delivered);
    assert!(exposure.unexport(&worker));
    assert_eq!(deliver(), gone);
    assert!(!exposure.is_visible(&peer(), &worker));
    worker.stop(None);
}

#[tokio::test]
async fn by_default_everything_is_allowed() {
    let exposure = Exposure::default();
    let worker = worker().await;
    let pid = worker.get_id().pid();
    for verb in [Verb::See, Verb::Cast, Verb::Call, Verb::Stop, Verb::Monitor] {
        let target = exposure.target(&peer(), pid, verb);
        assert_eq!(target.map(|actor| actor.get_id()), Ok(worker.get_id()));
    }
    assert_eq!(exposure.denied(), 0);
    worker.stop(None);
}

#[tokio::test]
async fn actors_that_have_ended_are_taken_off_the_list() {
    let exposure = Arc::new(Exposure::default());
    let sweep = Arc::clone(&exposure);
    let (sweeper, _) = Actor::spawn(None, Sweeper, sweep).await.unwrap();
    for _ in 0..10 {
        let worker = worker().await;
        exposure.export(&worker).unwrap();
        assert!(!exposure.exports().is_empty());
        worker.stop_and_wait(None, None).await.unwrap();
    }
    while !exposure.exports().is_empty() {
        tokio::task::yield_now().await;
    }
    sweeper.stop(None);
}

#[tokio::test]
async fn what_is_remembered_of_an_actor_ends_with_it_and_with_the_exports_it_was_true_of() {
    let exposure = Exposure::default();
    let (first, second) = (worker().await, worker().await);
    let mut targets = Targets::default();
    let mut deliver = |worker: &ActorRef<Job>, args: &[u8]| {
        let pid = worker.get_id().pid();
        exposure.deliver(&peer(), &mut targets, pid, cast("Work", args))
    };
    for _ in 0..2 {
        for worker in [&first, &second] {
            assert_eq!(deliver(worker, ONE_BYTE), Delivery::Delivered);
            // What is not exported takes what comes, and drops it.
            assert_eq!(deliver(worker, b""), Delivery::Delivered);
        }
    }
    exposure.export(&first).unwrap();
    assert_eq!(deliver(&first, b""), Delivery::Undecodable);
    assert!(exposure.unexport(&first.get_cell()));
    assert_eq!(deliver(&first, b""), Delivery::Delivered);
    first.stop_and_wait(None, None).await.unwrap();
    let gone = Delivery::Refused(Refusal::Gone);
    assert_eq!(deliver(&first, ONE_BYTE), gone);
    assert_eq!(deliver(&second, ONE_BYTE), Delivery::Delivered);
    second.stop(None);
}
