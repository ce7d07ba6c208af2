//! Answers on their way between the caller's port and the actor's.
#![allow(clippy::unwrap_used)]

use std::future::{Future as _, poll_fn};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ractor::concurrency::{OneshotReceiver, oneshot};
use ractor::message::SerializedMessage;
use ractor::rpc::CallResult;
use ractor::{BytesConvertable, Message, RpcReplyPort};
use shiome_derive::RactorClusterMessage;
use shiome_derive_tests::{as_call, call, panics};
use tokio::time::{Instant, advance, timeout};

const LIMIT: Duration = Duration::from_millis(250);

#[derive(Debug, RactorClusterMessage)]
enum Ask {
    #[rpc]
    Name(RpcReplyPort<String>),
    #[rpc]
    Fragile(RpcReplyPort<Fragile>),
    #[rpc]
    Grim(RpcReplyPort<Grim>),
    #[rpc]
    Done(RpcReplyPort<()>),
}

/// Panics on the way out and on the way in.
#[derive(Debug)]
struct Fragile;

impl BytesConvertable for Fragile {
    fn into_bytes(self) -> Vec<u8> {
        panic!("cannot be written")
    }

    fn from_bytes(_: Vec<u8>) -> Self {
        panic!("cannot be read")
    }
}

/// Panics when it is dropped.
#[derive(Debug)]
struct Grim;

impl Drop for Grim {
    fn drop(&mut self) {
        panic!("does not want to go")
    }
}

impl BytesConvertable for Grim {
    fn into_bytes(self) -> Vec<u8> {
        Vec::new()
    }

    fn from_bytes(_: Vec<u8>) -> Self {
        Self
    }
}

/// A message on its way out, the caller's end of it, and the remote end.
fn outbound<T>(
    limit: Option<Duration>,
    message: fn(RpcReplyPort<T>) -> Ask,
) -> (OneshotReceiver<T>, RpcReplyPort<Vec<u8>>) {
    let (sender, answer) = oneshot();
    let port = match limit {
        Some(limit) => (sender, limit).into(),
        None => sender.into(),
    };
    let (_, _, remote) = as_call(message(port).serialize().unwrap()).unwrap();
    (answer, remote)
}

/// What the actor gets of a call with `limit`, and where the answer leaves.
fn inbound(limit: Duration, variant: &str) -> (Ask, OneshotReceiver<Vec<u8>>) {
    let (sender, answer) = oneshot();
    let message = SerializedMessage::Call {
        variant: variant.to_owned(),
        args: Vec::new(),
        reply: (sender, limit).into(),
        metadata: None,
    };
    (Ask::deserialize(message).unwrap(), answer)
}

fn name_port(message: Ask) -> RpcReplyPort<String> {
    match message {
        Ask::Name(port) => port,
        other => panic!("not a name: {other:?}"),
    }
}

#[tokio::test]
async fn the_answer_reaches_the_caller_decoded() {
    let (answer, remote) = outbound(None, Ask::Name);
    remote.send(b"sara".to_vec()).unwrap();
    assert_eq!(answer.await.unwrap(), "sara");
}

#[tokio::test]
async fn the_answer_leaves_the_actor_encoded_without_a_length() {
    let (message, answer) = call("Name", &[]);
    let port = name_port(Ask::deserialize(message).unwrap());
    port.send("sara".to_owned()).unwrap();
    assert_eq!(answer.await.unwrap(), b"sara");
}

#[tokio::test]
async fn an_answer_without_a_value_is_empty() {
    let (message, answer) = call("Done", &[]);
    let Ask::Done(port) = Ask::deserialize(message).unwrap() else {
        panic!("not done");
    };
    port.send(()).unwrap();
    assert_eq!(answer.await.unwrap(), b"");
}

#[tokio::test(start_paused = true)]
async fn the_timeout_is_kept_on_both_sides() {
    let (_answer, remote) = outbound(Some(LIMIT), Ask::Name);
    assert_eq!(remote.get_timeout(), Some(LIMIT));
    let (_answer, remote) = outbound(None, Ask::Name);
    assert_eq!(remote.get_timeout(), None);

    let (message, _answer) = inbound(LIMIT, "Name");
    assert_eq!(name_port(message).get_timeout(), Some(LIMIT));
    let (message, _answer) = call("Name", &[]);
    let port = name_port(Ask::deserialize(message).unwrap());
    assert_eq!(port.get_timeout(), None);
}

#[tokio::test]
async fn a_port_that_the_remote_side_drops_ends_the_call() {
    let before = panics();
    for limit in [None, Some(LIMIT)] {
        let (answer, remote) = outbound(limit, Ask::Name);
        drop(remote);
        assert!(answer.await.is_err());
    }
    assert_eq!(panics(), before);
}

#[tokio::test]
async fn a_port_that_the_actor_drops_ends_the_call() {
    let before = panics();
    let (message, answer) = call("Name", &[]);
    drop(Ask::deserialize(message).unwrap());
    assert!(answer.await.is_err());
    let (message, answer) = inbound(LIMIT, "Name");
    drop(message);
    assert!(answer.await.is_err());
    assert_eq!(panics(), before);
}

#[tokio::test]
async fn an_undecodable_answer_ends_the_call_without_a_panic() {
    let (answer, remote) = outbound(None, Ask::Name);
    remote.send(vec![0xff, 0xfe]).unwrap();
    let before = panics();
    assert!(answer.await.is_err());
    assert_eq!(panics(), before);
}

#[tokio::test]
async fn a_panic_in_the_conversion_of_an_answer_ends_the_call() {
    let (answer, remote) = outbound(None, Ask::Fragile);
    remote.send(Vec::new()).unwrap();
    assert!(answer.await.is_err());

    let (message, answer) = call("Fragile", &[]);
    let Ask::Fragile(port) = Ask::deserialize(message).unwrap() else {
        panic!("not fragile");
    };
    port.send(Fragile).unwrap();
    assert!(answer.await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_silent_remote_side_ends_the_call_at_its_timeout() {
    let start = Instant::now();
    let (answer, remote) = outbound(Some(LIMIT), Ask::Name);
    assert!(answer.await.is_err());
    // Later than the timeout, or a caller with the same timeout would not know one from a dropped port.
    assert!(start.elapsed() > LIMIT);
    assert!(start.elapsed() < LIMIT * 2);
    assert!(remote.send(b"late".to_vec()).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_silent_actor_ends_the_call_at_its_timeout() {
    let start = Instant::now();
    let (message, answer) = inbound(LIMIT, "Name");
    assert!(answer.await.is_err());
    assert!(start.elapsed() >= LIMIT);
    assert!(name_port(message).send("late".to_owned()).is_err());
}

#[tokio::test(start_paused = true)]
async fn an_answer_just_before_the_timeout_arrives() {
    let (answer, remote) = outbound(Some(LIMIT), Ask::Name);
    tokio::task::yield_now().await;
    advance(LIMIT - Duration::from_millis(2)).await;
    remote.send(b"sara".to_vec()).unwrap();
    assert_eq!(answer.await.unwrap(), "sara");
}

#[tokio::test(start_paused = true)]
async fn a_call_without_timeout_waits() {
    let (answer, remote) = outbound(None, Ask::Name);
    let day = Duration::from_secs(86_400);
    let mut answer = std::pin::pin!(answer);
    assert!(timeout(day, answer.as_mut()).await.is_err());
    remote.send(b"sara".to_vec()).unwrap();
    assert_eq!(answer.await.unwrap(), "sara");
}

/// A caller in ractor starts its own timer after the message was serialized, with the same duration.
#[tokio::test(start_paused = true)]
async fn a_caller_with_its_own_timer_sees_a_timeout() {
    let (sender, answer) = oneshot();
    let message = Ask::Name((sender, LIMIT).into()).serialize().unwrap();
    tokio::task::yield_now().await;
    advance(Duration::from_millis(5)).await;
    let result = match timeout(LIMIT, answer).await {
        Ok(Ok(name)) => CallResult::Success(name),
        Ok(Err(_)) => CallResult::SenderError,
        Err(_) => CallResult::Timeout,
    };
    assert!(matches!(result, CallResult::Timeout));
    drop(message);
}

#[test]
fn calls_with_a_timeout_fail_outside_a_runtime_in_both_directions() {
    let (sender, mut answer) = oneshot();
    assert!(Ask::Name((sender, LIMIT).into()).serialize().is_err());
    assert!(answer.try_recv().is_err());

    let (sender, mut answer) = oneshot();
    let message = SerializedMessage::Call {
        variant: "Name".to_owned(),
        args: Vec::new(),
        reply: (sender, LIMIT).into(),
        metadata: None,
    };
    assert!(Ask::deserialize(message).is_err());
    assert!(answer.try_recv().is_err());
}

#[test]
fn a_short_answer_is_there_as_soon_as_it_is_given() {
    let (mut answer, remote) = outbound(None, Ask::Name);
    remote.send(b"sara".to_vec()).unwrap();
    assert_eq!(answer.try_recv().unwrap(), "sara");

    let (message, mut answer) = call("Name", &[]);
    let port = name_port(Ask::deserialize(message).unwrap());
    port.send("sara".to_owned()).unwrap();
    assert_eq!(answer.try_recv().unwrap(), b"sara");
}

#[tokio::test]
async fn a_long_answer_is_not_decoded_by_who_gives_it() {
    let (mut answer, remote) = outbound(None, Ask::Name);
    let long = vec![b'a'; 100_000];
    remote.send(long.clone()).unwrap();
    assert!(answer.try_recv().is_err());
    assert_eq!(answer.await.unwrap().into_bytes(), long);
}

/// What `made` makes in a turn of this task that is used up: whatever it waits for, the runtime calls it at once, so that
/// others can run.
async fn in_a_used_up_turn<T>(made: impl Fn() -> T) -> T {
    poll_fn(|_| {
        let share = 1000;
        let mut used_up = false;
        for _ in 0..share {
            let step = std::pin::pin!(tokio::task::consume_budget());
            let step = step.poll(&mut Context::from_waker(Waker::noop()));
            used_up |= step.is_pending();
        }
        assert!(used_up);
        Poll::Ready(made())
    })
    .await
}

#[tokio::test]
async fn an_answer_arrives_at_a_caller_whose_turn_is_used_up() {
    let (answer, remote) = in_a_used_up_turn(|| outbound(None, Ask::Name)).await;
    remote.send(b"sara".to_vec()).unwrap();
    assert_eq!(answer.await.unwrap(), "sara");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_answer_arrives_at_a_caller_that_blocks_its_thread_at_the_end_of_its_turn() {
    let call = in_a_used_up_turn(|| {
        let before = panics();
        let call = outbound(None, Ask::Name);
        tokio::task::block_in_place(|| {});
        assert_eq!(panics(), before);
        call
    });
    let (answer, remote) = tokio::spawn(call).await.unwrap();
    remote.send(b"sara".to_vec()).unwrap();
    assert_eq!(answer.await.unwrap(), "sara");
}

#[tokio::test]
async fn a_late_answer_whose_drop_panics_harms_nobody() {
    let (answer, remote) = outbound(None, Ask::Grim);
    drop(answer);
    remote.send(Vec::new()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_actor_sees_that_nobody_waits_any_more() {
    let (message, answer) = inbound(LIMIT, "Name");
    let port = name_port(message);
    assert!(!port.is_closed());
    drop(answer);
    tokio::time::sleep(LIMIT * 2).await;
    assert!(port.is_closed());
}

#[test]
fn a_runtime_that_ends_with_open_calls_says_nothing() {
    let before = panics();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let open =
        runtime.block_on(async { (outbound(Some(LIMIT), Ask::Name), inbound(LIMIT, "Name")) });
    drop(runtime);
    assert_eq!(panics(), before);
    let ((mut answer, _remote), _) = open;
    assert!(answer.try_recv().is_err());
}
