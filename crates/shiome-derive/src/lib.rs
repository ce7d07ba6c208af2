//! Derive macros for messages that cross a ractor cluster.
//!
//! | macro | for | implements |
//! |---|---|---|
//! | [`RactorMessage`] | messages that stay in their process | `ractor::Message` |
//! | [`RactorClusterMessage`] | enums whose variants are casts and calls | `ractor::Message`, with bytes |
//! | [`BytesConvertable`] | structs and enums that travel as a field or as an answer | `ractor::BytesConvertable` |
//!
//! ```
//! use ractor::{Message, RpcReplyPort};
//! use shiome_derive::{BytesConvertable, RactorClusterMessage};
//!
//! #[derive(RactorClusterMessage)]
//! enum Weather {
//!     Report { station: u32, reading: Reading },
//!     #[rpc]
//!     Latest(u32, RpcReplyPort<Reading>),
//! }
//!
//! #[derive(BytesConvertable)]
//! struct Reading {
//!     celsius: f64,
//!     remark: String,
//! }
//!
//! assert!(Weather::serializable());
//! ```
//!
//! # Bad bytes
//!
//! A peer may send anything. `Message::deserialize` then returns `BoxedDowncastErr`, for lengths that do not add up,
//! left-over bytes, unknown variants, a cast where a call belongs and the reverse, and fields that do not decode.
//! How a field is kept from panicking depends on its type:
//!
//! | type | how |
//! |---|---|
//! | ractor's built-in ones | the bytes are judged first: no panic starts |
//! | those with `#[derive(BytesConvertable)]` | they have a decoder that can fail: no panic starts |
//! | all others, and the second kind behind a type parameter | a panic in `from_bytes` is caught |
//!
//! Only the last kind concerns a program with `panic = "abort"`. With ractor's feature `blanket_serde`, which gives
//! built-in types another layout, they are of the last kind, too.
//!
//! # `#[cluster(crate = path)]`
//!
//! Generated code names `::ractor`. Where ractor is reached by another path, say so on the type:
//!
//! ```
//! mod prelude {
//!     pub use ractor;
//! }
//!
//! #[derive(shiome_derive::RactorClusterMessage)]
//! #[cluster(crate = crate::prelude::ractor)]
//! enum Count {
//!     Add(u32),
//! }
//! # fn main() {}
//! ```
//!
//! # `#[cluster(trace = path)]`
//!
//! A `RactorClusterMessage` that is sent to an `ActorRef` of another node's actor then says in which span: its `metadata` is
//! what `path::trace::metadata()` returns, such as that of `shiome` with its feature `opentelemetry`. There
//! `path::trace::learn` gets to know the type, unless it has parameters, so that what an actor does with it is part of that
//! trace, too. Both keys can stand in one attribute.

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

mod bridge;
mod bytes;
mod codec;
mod message;
mod parse;

/// Makes a type a message that stays in its process: `ractor::Message` with its defaults.
///
/// For any struct, enum or union that is `Send + 'static`; with parameters, for those instances that are.
/// An actor of another node cannot be sent such a message: the cast or call fails.
///
/// ```
/// use ractor::Message;
/// use shiome_derive::RactorMessage;
///
/// #[derive(RactorMessage)]
/// enum Job<T> {
///     Run(Box<dyn FnOnce() -> T + Send>),
///     Stop,
/// }
///
/// assert!(!Job::<u8>::serializable());
/// ```
///
/// Attribute: [`#[cluster(crate = path)]`](crate#clustercrate--path).
#[proc_macro_derive(RactorMessage, attributes(cluster))]
pub fn ractor_message(input: TokenStream) -> TokenStream {
    expand(&parse_macro_input!(input), message::local)
}

/// Makes an enum a message that crosses the cluster, one variant per cast or call.
///
/// A variant with `#[rpc]` is a call. It has one field of type `RpcReplyPort<Reply>`, in any position; the macro knows
/// it by that name, which may have a path before it but no alias instead. All other variants are casts. Every other
/// field and every `Reply` implements `ractor::BytesConvertable`: ractor's built-in types, those with
/// [`#[derive(BytesConvertable)]`](macro@BytesConvertable), and whatever you wrote it for.
///
/// ```
/// use ractor::message::SerializedMessage;
/// use ractor::{Message, RpcReplyPort};
/// use shiome_derive::RactorClusterMessage;
///
/// #[derive(Debug, RactorClusterMessage)]
/// enum Counter {
///     Reset,
///     Add(u32),
///     #[rpc]
///     Total { since: u64, reply: RpcReplyPort<u64> },
/// }
///
/// let Ok(SerializedMessage::Cast { variant, mut args, .. }) = Counter::Add(7).serialize() else {
///     panic!("not a cast");
/// };
/// assert_eq!(variant, "Add");
/// assert_eq!(args, [0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 7]);
///
/// // A byte is missing.
/// args.pop();
/// let message = SerializedMessage::Cast { variant, args, metadata: None };
/// assert!(Counter::deserialize(message).is_err());
/// ```
///
/// # Layout
///
/// `variant` is the variant's name as written: renaming one breaks the wire, order is free. `args` holds each field but
/// the port, in declaration order; `metadata` is absent, but for [`#[cluster(trace = path)]`](crate#clustertrace--path), and
/// ignored when it is there.
///
/// ```text
/// offset  width  what
/// 0       8      length n of the field, u64 big-endian
/// 8       n      the field, as `BytesConvertable::into_bytes` gives it
/// ```
///
/// Tuple and struct variants look the same. The answer to a call is the value's bytes alone, without a length.
///
/// # Calls
///
/// An answer is encoded where the actor sends it, and decoded where it arrives, in the task of the link, unless it has
/// 16 KiB or more: then in a task of its own.
/// The port's timeout is kept, and each side enforces it, with the clock of ractor's runtime: without one a call with a
/// timeout fails. When a port is dropped without an answer, when the answer
/// does not decode or encode, or when it is late, the other port is dropped, too: the caller gets an error and never
/// waits for nothing. A late port is
/// dropped 10 ms after its timeout: a caller with a timer of its own then sees that run out first.
///
/// # Errors
///
/// `deserialize` returns `BoxedDowncastErr` for [bad bytes](crate#bad-bytes), `serialize` when a field's `into_bytes`
/// panics, and both do for a call with a timeout outside the runtime. The call's port is then dropped.
///
/// # Parameters
///
/// Type parameters get the bounds `Send + 'static`, and `BytesConvertable` where a field or an answer contains the
/// parameter itself. Lifetime parameters are refused.
///
/// # Conflicts
///
/// Every `BytesConvertable` type is already a `Message`, a cast without a name: derive one or the other.
/// With ractor's feature `blanket_serde` that goes for types with serde's traits as well.
///
/// Attributes: `#[rpc]` on variants, [`#[cluster(crate = path)]`](crate#clustercrate--path),
/// [`#[cluster(trace = path)]`](crate#clustertrace--path).
#[proc_macro_derive(RactorClusterMessage, attributes(rpc, cluster))]
pub fn ractor_cluster_message(input: TokenStream) -> TokenStream {
    expand(&parse_macro_input!(input), message::cluster)
}

/// Lets a struct or an enum travel as a field of a message, as an answer, or as a cast of its own.
///
/// Every field implements `ractor::BytesConvertable` itself.
///
/// ```
/// use ractor::BytesConvertable as _;
/// use shiome_derive::BytesConvertable;
///
/// #[derive(Debug, PartialEq, BytesConvertable)]
/// struct Point {
///     x: u16,
///     y: u8,
/// }
///
/// #[derive(Debug, PartialEq, BytesConvertable)]
/// enum Shape {
///     Dot,
///     Circle(Point, f32),
/// }
///
/// let bytes = Point { x: 258, y: 3 }.into_bytes();
/// assert_eq!(bytes, [0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 0, 0, 0, 0, 0, 0, 0, 1, 3]);
/// assert_eq!(Shape::Dot.into_bytes(), *b"\0\0\0\0\0\0\0\x03Dot");
///
/// let circle = Shape::Circle(Point { x: 1, y: 2 }, 0.5).into_bytes();
/// assert_eq!(Shape::from_bytes(circle), Shape::Circle(Point { x: 1, y: 2 }, 0.5));
/// ```
///
/// # Layout
///
/// A struct is its fields in declaration order, an enum the name of its variant as written and then the variant's
/// fields:
///
/// ```text
/// offset  width  what
/// 0       8      length n of the field (first, in an enum: of the variant's name), u64 big-endian
/// 8       n      the field, as `BytesConvertable::into_bytes` gives it
/// ```
///
/// Nothing stands between or after. Names of fields do not travel; a field added or moved makes another layout.
///
/// # Bad bytes
///
/// As a field or an answer of a [`RactorClusterMessage`](macro@RactorClusterMessage), bad bytes end in its error.
/// A type that contains itself, through a conversion written by hand, nests at most 128 deep: more is such an error.
///
/// # Panics
///
/// `from_bytes` has no error to return: given bad bytes directly, it panics and says what is wrong. That includes
/// values sent as a cast of their own, whose decoding is ractor's.
///
/// # Parameters
///
/// Type parameters get the bound `'static`, and `BytesConvertable` where a field contains the parameter itself.
/// Lifetime parameters are refused.
///
/// Attribute: [`#[cluster(crate = path)]`](crate#clustercrate--path).
#[proc_macro_derive(BytesConvertable, attributes(cluster))]
pub fn bytes_convertable(input: TokenStream) -> TokenStream {
    expand(&parse_macro_input!(input), bytes::value)
}

fn expand(
    input: &DeriveInput,
    derive: fn(&DeriveInput) -> syn::Result<proc_macro2::TokenStream>,
) -> TokenStream {
    derive(input)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
