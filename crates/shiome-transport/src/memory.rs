//! Links inside one process, for tests and simulations.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{io::duplex, sync::mpsc};

use self::fault::{Conditions, Faults};
use crate::link::{Link, Security};

pub mod fault;
mod scheme;

/// Bytes that one direction of a memory link holds before the writer waits.
const LINK_CAPACITY: usize = 64 * 1024;

/// Dials that may wait for one listener.
const BACKLOG: usize = 128;

/// A network of its own, with addresses that are plain names. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Network {
    listeners: Arc<Mutex<HashMap<String, mpsc::Sender<Link>>>>,
}

impl Network {
    /// Listens at `address` until the listener is dropped.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::AddrInUse`] when there is a listener at that address.
    pub fn listen(&self, address: &str) -> io::Result<Listener> {
        let mut listeners = self.lock();
        if listeners.get(address).is_some_and(|l| !l.is_closed()) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let (dialled, accepted) = mpsc::channel(BACKLOG);
        listeners.insert(address.to_owned(), dialled);
        Ok(Listener(accepted))
    }

    /// Opens a link to the listener at `address`; `from` is what that one sees as its peer.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::ConnectionRefused`] when nobody listens there, or too many links wait to be accepted.
    pub fn dial(&self, from: &str, address: &str) -> io::Result<Link> {
        let (here, there) = duplex(LINK_CAPACITY);
        self.offer(
            address,
            Link::from_stream(there, from, address, Security::Local),
        )?;
        Ok(Link::from_stream(here, address, from, Security::Local))
    }

    /// Opens a link as [`dial`](Self::dial) does, to which harm can be done.
    ///
    /// # Errors
    ///
    /// As those of [`dial`](Self::dial).
    pub fn dial_under(
        &self,
        from: &str,
        address: &str,
        conditions: Conditions,
    ) -> io::Result<(Link, Faults)> {
        let (here, there, faults) = fault::link(from, address, conditions);
        self.offer(address, there)?;
        Ok((here, faults))
    }

    fn offer(&self, address: &str, link: Link) -> io::Result<()> {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let listener = self.lock().get(address).cloned().ok_or_else(refused)?;
        listener.try_send(link).map_err(|_| refused())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, mpsc::Sender<Link>>> {
        // A map of senders is whole after any panic.
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where links to one address of a [`Network`] arrive.
#[derive(Debug)]
pub struct Listener(mpsc::Receiver<Link>);

impl Listener {
    /// The next link. Cancel-safe.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotConnected`] when another listener took the address over, or the network is gone.
    pub async fn accept(&mut self) -> io::Result<Link> {
        let closed = || io::ErrorKind::NotConnected.into();
        self.0.recv().await.ok_or_else(closed)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn what_one_end_writes_the_other_reads() {
        let network = Network::default();
        let mut listener = network.listen("b").unwrap();
        let mut here = network.dial("a", "b").unwrap();
        let mut there = listener.accept().await.unwrap();
        assert_eq!((&*here.peer, &*there.peer), ("b", "a"));
        here.writer.write_all(b"hello").await.unwrap();
        drop(here);
        let mut read = String::new();
        there.reader.read_to_string(&mut read).await.unwrap();
        assert_eq!(read, "hello");
    }

    #[tokio::test]
    async fn an_address_has_one_listener_at_a_time() {
        let network = Network::default();
        let listener = network.listen("b").unwrap();
        assert_eq!(
            network.listen("b").unwrap_err().kind(),
            io::ErrorKind::AddrInUse
        );
        drop(listener);
        assert_eq!(
            network.dial("a", "b").unwrap_err().kind(),
            io::ErrorKind::ConnectionRefused
        );
        assert!(network.listen("b").is_ok());
    }
}
