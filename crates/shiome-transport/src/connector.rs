use std::{future::Future, pin::Pin};

use crate::{address::Address, error::TransportError, link::Link};

/// A future that someone else makes, of a kind that is not known here.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Opens links to the addresses of one scheme. See [`Scheme`](crate::Scheme) for an example.
pub trait Connector: Send + Sync {
    /// Opens a link to `address`, everything included: names are resolved, TLS and other layers are on.
    ///
    /// The future is dropped when it takes longer than [`Links::with_dial_timeout`](crate::Links::with_dial_timeout)
    /// says, and then leaves nothing open.
    ///
    /// # Errors
    ///
    /// [`TransportError`]; faults that it has no name for are [`TransportError::Other`].
    fn dial<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, Result<Link, TransportError>>;
}
