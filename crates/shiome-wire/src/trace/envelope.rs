//! The trace context in front of a program's metadata, see the [module](super).

use std::io::Write;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{
    MAX_TRACE_PARENT_LEN, MAX_TRACE_STATE_LEN, TRACE_PARENT_LEN, TraceContext, TraceError,
    TraceParent, TraceState,
};

/// What wrapped metadata begins with. The first byte begins no text, and the last one is a version.
pub const MAGIC: [u8; 8] = *b"\xf5shiome\x01";

/// Bytes that [`wrap`] puts in front at most.
pub const MAX_OVERHEAD: usize = FIXED_LEN + TRACE_PARENT_LEN + MAX_TRACE_STATE_LEN;

/// Magic, flags and the two lengths.
const FIXED_LEN: usize = MAGIC.len() + 4;

/// The message has metadata of the program's.
const HAS_METADATA: u8 = 1;

// The lengths fit into their fields.
const _: () = assert!(MAX_TRACE_PARENT_LEN <= u8::MAX as usize);
const _: () = assert!(MAX_TRACE_STATE_LEN <= u16::MAX as usize);

/// Wrapped metadata, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unwrapped {
    /// The context, if there is one that is right.
    pub context: Option<TraceContext>,
    /// Metadata of the program, as it was given.
    pub metadata: Option<Bytes>,
    /// What is wrong with the context, or with its `tracestate` alone.
    pub error: Option<TraceError>,
}

/// Whether [`unwrap`] has something to take off.
pub fn is_wrapped(metadata: &[u8]) -> bool {
    metadata.starts_with(&MAGIC)
}

/// The metadata of a message, for a peer that can [`unwrap`] it. Copies that of the program only when there is a context.
pub fn wrap(context: Option<&TraceContext>, metadata: Option<Bytes>) -> Option<Bytes> {
    if context.is_none() && !metadata.as_deref().is_some_and(is_wrapped) {
        return metadata;
    }
    let own = metadata.as_deref().unwrap_or_default();
    let mut wrapped = BytesMut::with_capacity(MAX_OVERHEAD + own.len());
    wrapped.put_slice(&MAGIC);
    wrapped.put_u8(if metadata.is_some() { HAS_METADATA } else { 0 });
    match context {
        Some(TraceContext { parent, state }) => {
            wrapped.put_u8(TRACE_PARENT_LEN as u8);
            let mut text = [0; TRACE_PARENT_LEN];
            write!(&mut text[..], "{parent}").expect("its length is fixed");
            wrapped.put_slice(&text);
            wrapped.put_u16(state.as_str().len() as u16);
            wrapped.put_slice(state.as_str().as_bytes());
        }
        None => wrapped.put_slice(&[0; 3]),
    }
    wrapped.put_slice(own);
    Some(wrapped.freeze())
}

/// Takes metadata apart that [is wrapped](is_wrapped); other metadata is the program's. When the lengths are not right, all
/// of it is taken for the program's.
pub fn unwrap(metadata: Bytes) -> Unwrapped {
    if !is_wrapped(&metadata) {
        return Unwrapped::plain(metadata, None);
    }
    let Some((flags, parent, state, own)) = split(metadata.clone()) else {
        return Unwrapped::plain(metadata, Some(TraceError::Envelope));
    };
    let (context, error) = read_context(&parent, &state);
    Unwrapped {
        context,
        metadata: (flags & HAS_METADATA != 0).then_some(own),
        error,
    }
}

impl Unwrapped {
    fn plain(metadata: Bytes, error: Option<TraceError>) -> Self {
        Self {
            context: None,
            metadata: Some(metadata),
            error,
        }
    }
}

/// Flags, `traceparent`, `tracestate` and what follows.
fn split(mut wrapped: Bytes) -> Option<(u8, Bytes, Bytes, Bytes)> {
    wrapped.advance(MAGIC.len());
    let flags = wrapped.try_get_u8().ok()?;
    let parent_len = wrapped.try_get_u8().ok()?;
    let parent = take(&mut wrapped, usize::from(parent_len))?;
    let state_len = wrapped.try_get_u16().ok()?;
    let state = take(&mut wrapped, usize::from(state_len))?;
    let is_right = flags == HAS_METADATA || flags == 0 && wrapped.is_empty();
    is_right.then_some((flags, parent, state, wrapped))
}

fn take(from: &mut Bytes, len: usize) -> Option<Bytes> {
    (len <= from.len()).then(|| from.split_to(len))
}

fn read_context(parent: &[u8], state: &[u8]) -> (Option<TraceContext>, Option<TraceError>) {
    if parent.is_empty() {
        return (None, None);
    }
    let parent = match TraceParent::parse(parent) {
        Ok(parent) => parent,
        Err(error) => return (None, Some(error.into())),
    };
    match TraceState::parse(state) {
        Ok(state) => (Some(TraceContext { parent, state }), None),
        Err(error) => (Some(parent.into()), Some(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::trace::{TraceParentError, TraceStateError};

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn context() -> TraceContext {
        TraceContext {
            parent: PARENT.parse().unwrap(),
            state: "rojo=1".parse().unwrap(),
        }
    }

    fn wrapped(flags: u8, parent: &str, state: &str, own: &[u8]) -> Bytes {
        let mut bytes = MAGIC.to_vec();
        bytes.extend([flags, parent.len() as u8]);
        bytes.extend(parent.bytes());
        bytes.extend((state.len() as u16).to_be_bytes());
        bytes.extend(state.bytes());
        bytes.extend(own);
        bytes.into()
    }

    #[test]
    fn the_layout_is_as_it_is_told() {
        let bytes = wrap(Some(&context()), Some(Bytes::from_static(b"own"))).unwrap();
        assert_eq!(bytes, wrapped(1, PARENT, "rojo=1", b"own"));
        let bytes = wrap(Some(&context().parent.into()), None).unwrap();
        assert_eq!(bytes, wrapped(0, PARENT, "", b""));
        assert_eq!(hex::encode(&bytes[..10]), "f57368696f6d65010037");
        assert_eq!(bytes.len(), 67);
    }

    #[test]
    fn without_a_context_metadata_stays_as_it_is_unless_it_looks_wrapped() {
        assert_eq!(wrap(None, None), None);
        let own = Bytes::from_static(b"own");
        let same = wrap(None, Some(own.clone())).unwrap();
        assert_eq!(same.as_ptr(), own.as_ptr());
        let twice = wrap(Some(&context()), None).unwrap();
        let escaped = wrap(None, Some(twice.clone())).unwrap();
        assert_ne!(escaped, twice);
        let unwrapped = unwrap(escaped);
        assert_eq!((unwrapped.context, unwrapped.metadata), (None, Some(twice)));
    }

    #[test]
    fn what_is_wrong_with_a_context_costs_the_program_nothing() {
        let own = Some(Bytes::from_static(b"own"));
        let no_parent = unwrap(wrapped(1, &PARENT.replace('4', "G"), "", b"own"));
        assert_eq!((no_parent.context, no_parent.metadata), (None, own.clone()));
        let error = TraceError::Parent(TraceParentError::Digit(3));
        assert_eq!(no_parent.error, Some(error));
        let no_state = unwrap(wrapped(1, PARENT, "Rojo=1", b"own"));
        assert_eq!(no_state.context, Some(context().parent.into()));
        assert_eq!(no_state.metadata, own);
        let error = TraceError::State(TraceStateError::Key(0));
        assert_eq!(no_state.error, Some(error));
        let long = unwrap(wrapped(0, PARENT, &"a".repeat(600), b""));
        let error = TraceError::State(TraceStateError::Length(600));
        assert_eq!(long.error, Some(error));
    }

    #[test]
    fn what_is_cut_is_told_and_handed_on_as_it_is() {
        let whole = wrapped(0, PARENT, "rojo=1", b"");
        for len in MAGIC.len()..whole.len() {
            let cut = whole.slice(..len);
            let unwrapped = unwrap(cut.clone());
            assert_eq!(unwrapped.error, Some(TraceError::Envelope), "{len}");
            assert_eq!((unwrapped.context, unwrapped.metadata), (None, Some(cut)));
        }
        for odd in [wrapped(2, PARENT, "", b""), wrapped(0, PARENT, "", b"own")] {
            let unwrapped = unwrap(odd.clone());
            assert_eq!(unwrapped.error, Some(TraceError::Envelope));
            assert_eq!(unwrapped.metadata, Some(odd));
        }
    }

    proptest! {
        #[test]
        fn what_was_wrapped_is_unwrapped(
            traced: bool,
            own in prop::option::of(prop::collection::vec(any::<u8>(), 0..64)),
            magic: bool,
        ) {
            let own = own.map(|own| {
                let magic = if magic { &MAGIC[..] } else { &[] };
                Bytes::from([magic, &own].concat())
            });
            let context = traced.then(context);
            let unwrapped = match wrap(context.as_ref(), own.clone()) {
                Some(metadata) => unwrap(metadata),
                None => Unwrapped { context: None, metadata: None, error: None },
            };
            prop_assert_eq!(unwrapped, Unwrapped { context, metadata: own, error: None });
        }

        #[test]
        fn a_flipped_bit_changes_no_metadata_but_its_own(bit in 64usize..(67 + 9) * 8) {
            let mut bytes = wrapped(1, PARENT, "", b"metadata!").to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let unwrapped = unwrap(bytes.clone().into());
            let at = bit / 8;
            if (10..10 + TRACE_PARENT_LEN).contains(&at) {
                prop_assert_eq!(unwrapped.metadata.as_deref(), Some(&b"metadata!"[..]));
            } else if unwrapped.error == Some(TraceError::Envelope) {
                prop_assert_eq!(unwrapped.metadata.as_deref(), Some(&bytes[..]));
            }
        }

        #[test]
        fn any_bytes_are_taken_or_handed_on(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let bytes = Bytes::from([&MAGIC[..], &bytes].concat());
            let unwrapped = unwrap(bytes.clone());
            let own = unwrapped.metadata.map_or(0, |own| own.len());
            prop_assert!(own <= bytes.len());
        }
    }
}
