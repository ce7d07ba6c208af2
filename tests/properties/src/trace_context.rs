use bytes::Bytes;
use shiome_wire::trace::{
    MAX_OVERHEAD, MAX_TRACE_STATE_LEN, MAX_TRACE_STATE_MEMBERS, TraceParent, TraceState, Unwrapped,
    is_wrapped, unwrap, wrap,
};

/// Any metadata of a peer: a program gets no more than has come, and what it has given itself comes back. The same bytes
/// as either header: what is read is written, and read as the same.
pub fn trace_context(input: &[u8]) {
    headers(input);
    let bytes = Bytes::copy_from_slice(input);
    let Unwrapped {
        context,
        metadata,
        error,
    } = unwrap(bytes.clone());
    let own = metadata.as_deref().unwrap_or_default();
    assert!(input.ends_with(own));
    if !is_wrapped(input) {
        assert!(context.is_none() && error.is_none() && own == input);
    }
    if let Some(wrapped) = wrap(context.as_ref(), metadata.clone()) {
        assert!(wrapped.len() <= own.len() + MAX_OVERHEAD);
        let again = unwrap(wrapped);
        assert_eq!((again.context, again.metadata), (context, metadata));
        assert_eq!(again.error, None);
    }
    let escaped = wrap(None, Some(bytes.clone())).expect("there is metadata");
    let unescaped = unwrap(escaped);
    assert_eq!((unescaped.metadata, unescaped.error), (Some(bytes), None));
}

fn headers(input: &[u8]) {
    if let Ok(parent) = TraceParent::parse(input) {
        assert_eq!(
            TraceParent::parse(parent.to_string().as_bytes()),
            Ok(parent)
        );
    }
    if let Ok(state) = TraceState::parse(input) {
        assert!(state.as_str().len() <= MAX_TRACE_STATE_LEN);
        assert!(state.members().count() <= MAX_TRACE_STATE_MEMBERS);
        assert_eq!(TraceState::parse(state.as_str().as_bytes()), Ok(state));
    }
    let text = String::from_utf8_lossy(input);
    assert!(TraceState::fit(&text).as_str().len() <= MAX_TRACE_STATE_LEN);
}
