//! Nothing generated trips over a crate's own strictness.
#![deny(warnings)]
#![deny(
    elided_lifetimes_in_paths,
    future_incompatible,
    let_underscore_drop,
    missing_docs,
    missing_debug_implementations,
    non_ascii_idents,
    nonstandard_style,
    rust_2018_idioms,
    single_use_lifetimes,
    trivial_casts,
    trivial_numeric_casts,
    unnameable_types,
    unreachable_pub,
    unused,
    unused_lifetimes,
    unused_qualifications,
    unused_results,
    variant_size_differences
)]
#![forbid(unsafe_code)]

use ractor::RpcReplyPort;
use shiome_derive::{BytesConvertable, RactorClusterMessage, RactorMessage};

/// Stays here.
#[derive(Debug, RactorMessage)]
pub struct Local<T>(pub T);

/// Travels.
#[derive(Debug, RactorClusterMessage)]
pub enum Message<T> {
    /// A cast.
    Unit,
    /// A cast.
    Tuple(u8, Value<T>),
    /// A cast that nobody should send.
    #[deprecated]
    Old {
        /// What it carries.
        text: String,
    },
    /// A call.
    #[rpc]
    Call {
        /// Where the answer goes.
        reply: RpcReplyPort<Kind>,
        /// What is asked.
        question: char,
    },
}

/// Travels, and has nothing to say.
#[derive(Debug, RactorClusterMessage)]
pub enum Never {}

/// Only casts.
#[derive(Debug, RactorClusterMessage)]
pub enum Casts {
    /// The only one.
    Unit,
}

/// Only calls.
#[derive(Debug, RactorClusterMessage)]
pub enum Calls {
    /// The only one.
    #[rpc]
    Ask(RpcReplyPort<()>),
}

/// A value.
#[derive(Debug, BytesConvertable)]
pub struct Value<T> {
    /// What is inside.
    pub inner: T,
}

/// A value without fields.
#[derive(Debug, BytesConvertable)]
pub struct Unit;

/// A value that cannot be.
#[derive(Debug, BytesConvertable)]
pub enum Nothing {}

/// Another value.
#[derive(Debug, BytesConvertable)]
pub enum Kind {
    /// No data.
    None,
    /// Some data.
    Some(Value<u16>, Unit),
}

mod private {
    use super::{BytesConvertable, RactorClusterMessage};

    #[derive(Debug, RactorClusterMessage)]
    enum Message<T> {
        _Tell(Value<T>),
    }

    #[derive(Debug, BytesConvertable)]
    struct Value<T>(T);
}

fn main() {
    #[derive(Debug, RactorClusterMessage)]
    enum InAFunction {
        Tell(Inner),
    }

    #[derive(Debug, BytesConvertable)]
    struct Inner(u8);

    use ractor::Message as _;
    assert!(InAFunction::Tell(Inner(1)).serialize().is_ok());
}
