//! Support code of the derive tests.

use std::cell::Cell;
use std::panic;
use std::sync::Once;

use ractor::RpcReplyPort;
use ractor::concurrency::{OneshotReceiver, oneshot};
use ractor::message::SerializedMessage;

thread_local! {
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

/// How many panics started on this thread since the first call, caught ones too.
pub fn panics() -> usize {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANICS.with(|count| count.set(count.get() + 1));
            print(info);
        }));
    });
    PANICS.with(Cell::get)
}

/// What `run` returns, and how many panics it started.
pub fn count_panics<R>(run: impl FnOnce() -> R) -> (R, usize) {
    let before = panics();
    let result = run();
    (result, panics() - before)
}

/// The layout of fields: each one its length as u64 big-endian, then its bytes.
pub fn fields(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

/// A cast as it comes off the wire.
pub fn cast(variant: &str, args: &[u8]) -> SerializedMessage {
    SerializedMessage::Cast {
        variant: variant.to_owned(),
        args: args.to_vec(),
        metadata: None,
    }
}

/// A call without timeout as it comes off the wire, and where its answer arrives.
pub fn call(variant: &str, args: &[u8]) -> (SerializedMessage, OneshotReceiver<Vec<u8>>) {
    let (sender, answer) = oneshot();
    let message = SerializedMessage::Call {
        variant: variant.to_owned(),
        args: args.to_vec(),
        reply: RpcReplyPort::from(sender),
        metadata: None,
    };
    (message, answer)
}

/// Variant and arguments of a cast without metadata; `None` for anything else.
pub fn as_cast(message: SerializedMessage) -> Option<(String, Vec<u8>)> {
    match message {
        SerializedMessage::Cast {
            variant,
            args,
            metadata: None,
        } => Some((variant, args)),
        _ => None,
    }
}

/// Variant, arguments and reply port of a call without metadata; `None` for anything else.
pub fn as_call(message: SerializedMessage) -> Option<(String, Vec<u8>, RpcReplyPort<Vec<u8>>)> {
    match message {
        SerializedMessage::Call {
            variant,
            args,
            reply,
            metadata: None,
        } => Some((variant, args, reply)),
        _ => None,
    }
}
