//! Where the generated code finds what it names.

use ractor::Message;
use shiome_derive_tests::{as_call, as_cast, call, cast, fields};

/// ractor under another name, as a crate that re-exports it would offer it.
mod reexport {
    pub(crate) mod inner {
        pub(crate) use ::ractor::{BytesConvertable, Message, RpcReplyPort, concurrency, message};
    }
}

mod through_a_reexport {
    use super::reexport::inner;
    use shiome_derive::{BytesConvertable, RactorClusterMessage, RactorMessage};

    #[derive(RactorMessage)]
    #[cluster(crate = crate::reexport::inner)]
    pub(super) struct Local;

    #[derive(RactorClusterMessage)]
    #[cluster(crate = crate::reexport::inner)]
    pub(super) enum Absolute {
        #[rpc]
        Ask(Value, inner::RpcReplyPort<Value>),
    }

    #[derive(RactorClusterMessage)]
    #[cluster(crate = inner)]
    pub(super) enum Relative {
        Tell(Value),
    }

    #[derive(BytesConvertable)]
    #[cluster(crate = super::reexport::inner)]
    pub(super) struct Value(pub(super) u8);
}

mod in_a_trace {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use ractor::RpcReplyPort;
    use shiome_derive::RactorClusterMessage;

    /// What is asked for, as a crate with traces would offer it.
    pub(super) mod trace {
        use super::{AtomicUsize, Ordering};

        pub(crate) static LEARNED: AtomicUsize = AtomicUsize::new(0);

        pub(crate) fn learn<M: ractor::Message>() {
            assert!(std::any::type_name::<M>().ends_with("Traced"));
            LEARNED.fetch_add(1, Ordering::Relaxed);
        }

        pub(crate) fn metadata() -> Option<Vec<u8>> {
            Some(b"in a span".to_vec())
        }
    }

    #[derive(RactorClusterMessage)]
    #[cluster(trace = crate::in_a_trace, crate = ::ractor)]
    pub(super) enum Traced {
        Tell(u8),
        #[rpc]
        Ask(RpcReplyPort<u8>),
    }

    #[derive(RactorClusterMessage)]
    #[cluster(trace = crate::in_a_trace)]
    pub(super) enum Generic<T> {
        Tell(T),
    }
}

/// Names of the prelude mean something else here.
#[allow(dead_code, unused_imports)]
mod shadowed {
    use shiome_derive::{BytesConvertable, RactorClusterMessage, RactorMessage};

    pub(super) struct Vec;
    struct String;
    struct Box;
    enum Option {
        Some,
        None,
    }
    enum Result {
        Ok,
        Err,
    }
    use {Option::*, Result::*};
    trait Into {}
    trait From {}
    trait Send {}
    trait Sized {}
    trait Drop {}
    fn drop() {}
    mod std {}
    mod core {}
    mod ractor {}

    #[derive(RactorMessage)]
    pub(super) struct Local<T>(T);

    #[derive(RactorClusterMessage)]
    pub(super) enum Message<T> {
        Tell(Value<T>, u8),
        #[rpc]
        Ask {
            value: Value<T>,
            reply: ::ractor::RpcReplyPort<Kind>,
        },
    }

    #[derive(BytesConvertable)]
    pub(super) struct Value<T>(pub(super) T);

    #[derive(BytesConvertable)]
    pub(super) enum Kind {
        One,
        Two(u8),
    }
}

#[no_implicit_prelude]
mod without_a_prelude {
    use ::shiome_derive::{BytesConvertable, RactorClusterMessage, RactorMessage};

    #[derive(RactorMessage)]
    pub(super) struct Local;

    #[derive(RactorClusterMessage)]
    pub(super) enum Message {
        Tell(Value, Kind),
        #[rpc]
        Ask(Value, ::ractor::RpcReplyPort<Kind>),
    }

    #[derive(BytesConvertable)]
    pub(super) struct Value {
        pub(super) number: u8,
    }

    #[derive(BytesConvertable)]
    pub(super) enum Kind {
        One,
    }
}

/// Types are written by macros, too.
mod from_a_macro {
    use ractor::RpcReplyPort;
    use shiome_derive::RactorClusterMessage;

    macro_rules! message {
        ($argument:ty, $port:ty) => {
            #[derive(RactorClusterMessage)]
            pub(super) enum Message {
                #[rpc]
                Ask($argument, $port),
            }
        };
    }

    message!(u8, RpcReplyPort<u8>);
}

#[tokio::test]
async fn a_message_says_in_which_span_it_is_sent_and_its_type_is_known_once() {
    use std::sync::atomic::Ordering;

    use in_a_trace::{Generic, Traced, trace};
    use ractor::message::SerializedMessage;
    let (port, _reply) = ractor::concurrency::oneshot();
    for message in [
        Traced::Tell(1).serialize().unwrap(),
        Generic::Tell(1_u8).serialize().unwrap(),
        Traced::Ask(port.into()).serialize().unwrap(),
    ] {
        let (SerializedMessage::Cast { metadata, .. } | SerializedMessage::Call { metadata, .. }) =
            message
        else {
            panic!("neither a cast nor a call");
        };
        assert_eq!(metadata.as_deref(), Some(&b"in a span"[..]));
    }
    assert!(Traced::serializable() && Traced::serializable());
    assert!(Generic::<u8>::serializable());
    assert_eq!(trace::LEARNED.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_reexport_serves() {
    use through_a_reexport::{Absolute, Local, Relative, Value};
    assert!(!Local::serializable());
    let sent = Relative::Tell(Value(7)).serialize().unwrap();
    let (_, args) = as_cast(sent).unwrap();
    assert_eq!(args, fields(&[&fields(&[&[7]])]));

    let (message, answer) = call("Ask", &args);
    let Absolute::Ask(value, port) = Absolute::deserialize(message).unwrap();
    assert!(port.send(value).is_ok());
    assert_eq!(answer.await.unwrap(), fields(&[&[7]]));
}

#[tokio::test]
async fn shadowed_names_do_not_matter() {
    use shadowed::{Kind, Local, Message, Value};
    assert!(!Local::<u8>::serializable());
    let sent = Message::Tell(Value(1_u8), 2).serialize().unwrap();
    let (_, args) = as_cast(sent).unwrap();
    assert_eq!(args, fields(&[&fields(&[&[1]]), &[2]]));
    assert!(Message::<u8>::deserialize(cast("Tell", &args)).is_ok());

    let (message, answer) = call("Ask", &fields(&[&fields(&[&[1]])]));
    match Message::<u8>::deserialize(message).unwrap() {
        Message::Ask { value, reply } => assert!(reply.send(Kind::Two(value.0)).is_ok()),
        Message::Tell(..) => panic!("became a cast"),
    }
    assert_eq!(answer.await.unwrap(), fields(&[b"Two", &[1]]));
}

#[tokio::test]
async fn no_prelude_is_needed() {
    use without_a_prelude::{Kind, Local, Message, Value};
    assert!(!Local::serializable());
    let sent = Message::Tell(Value { number: 1 }, Kind::One).serialize();
    let (_, args) = as_cast(sent.unwrap()).unwrap();
    assert_eq!(args, fields(&[&fields(&[&[1]]), &fields(&[b"One"])]));
    assert!(Message::deserialize(cast("Tell", &args)).is_ok());
}

#[tokio::test]
async fn types_behind_macro_fragments_are_seen_through() {
    let (sender, _answer) = ractor::concurrency::oneshot();
    let message = from_a_macro::Message::Ask(1, sender.into());
    let (variant, args, _) = as_call(message.serialize().unwrap()).unwrap();
    assert_eq!((variant.as_str(), args), ("Ask", fields(&[&[1]])));
}
