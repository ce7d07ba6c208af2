//! The bus for threads that run no tasks.

use std::time::Duration;

use tokio::runtime::Handle;

use crate::{BusError, Delivery, Intent, Peer, PeerId, Receipt, SendOptions};

/// A peer whose calls return when they are done, as [`Peer::blocking`] gives it. Handlers are registered on the
/// [peer](Self::peer), whose tasks run on the runtime of the bus.
///
/// All calls fail with [`BusError::Refused`] in a task of a runtime, which they would stop.
#[derive(Debug, Clone)]
pub struct BlockingPeer {
    peer: Peer,
    runtime: Handle,
}

impl BlockingPeer {
    pub(crate) fn new(peer: &Peer) -> Self {
        Self {
            peer: peer.clone(),
            runtime: peer.node().runtime().clone(),
        }
    }

    /// The peer itself.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    fn run<T>(&self, call: impl Future<Output = Result<T, BusError>>) -> Result<T, BusError> {
        if Handle::try_current().is_ok() {
            return Err(BusError::Refused("to block a task of a runtime".into()));
        }
        self.runtime.block_on(call)
    }

    /// As [`Peer::send`].
    ///
    /// # Errors
    ///
    /// As those of [`Peer::send`].
    pub fn send<T>(&self, to: T, intent: Intent) -> Result<Receipt, BusError>
    where
        T: TryInto<PeerId>,
        BusError: From<T::Error>,
    {
        self.run(self.peer.send(to, intent))
    }

    /// As [`Peer::send_with`].
    ///
    /// # Errors
    ///
    /// As those of [`Peer::send_with`].
    pub fn send_with<T>(
        &self,
        to: T,
        intent: Intent,
        options: SendOptions,
    ) -> Result<Receipt, BusError>
    where
        T: TryInto<PeerId>,
        BusError: From<T::Error>,
    {
        self.run(self.peer.send_with(to, intent, options))
    }

    /// As [`Peer::request_with`].
    ///
    /// # Errors
    ///
    /// As those of [`Peer::request_with`].
    pub fn request<T>(
        &self,
        to: T,
        intent: Intent,
        options: SendOptions,
    ) -> Result<Delivery, BusError>
    where
        T: TryInto<PeerId>,
        BusError: From<T::Error>,
    {
        self.run(self.peer.request_with(to, intent, options))
    }

    /// As [`Peer::ping`].
    ///
    /// # Errors
    ///
    /// As those of [`Peer::ping`].
    pub fn ping<T>(&self, to: T, timeout: Duration) -> Result<Duration, BusError>
    where
        T: TryInto<PeerId>,
        BusError: From<T::Error>,
    {
        self.run(self.peer.ping(to, timeout))
    }

    /// As [`Peer::wait_for`].
    ///
    /// # Errors
    ///
    /// As those of [`Peer::wait_for`].
    pub fn wait_for<T>(&self, id: T, timeout: Duration) -> Result<(), BusError>
    where
        T: TryInto<PeerId>,
        BusError: From<T::Error>,
    {
        self.run(self.peer.wait_for(id, timeout))
    }

    /// As [`Peer::close`].
    ///
    /// # Errors
    ///
    /// As those of [`Peer::close`].
    pub fn close(&self, deadline: Duration) -> Result<(), BusError> {
        self.run(self.peer.close(deadline))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bus, BusOptions, ErrorKind, Level};

    const SOON: Duration = Duration::from_secs(10);

    #[test]
    fn threads_without_tasks_send_ask_and_close() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let bus = Bus::with(BusOptions::default().runtime(runtime.handle().clone()));
        let (a, b) = (bus.peer("a").unwrap(), bus.peer("b").unwrap());
        b.on("ask", |delivery| delivery.try_respond("yes").map(drop))
            .unwrap()
            .detach();
        let (here, intent) = (a.blocking(), || Intent::new("ask", ()).unwrap());
        here.wait_for("b", SOON).unwrap();
        here.send("b", intent()).unwrap();
        let handled = SendOptions::default().level(Level::Handled);
        here.send_with("b", intent(), handled).unwrap();
        let answer = here.request("b", intent(), SendOptions::default());
        assert_eq!(answer.unwrap().payload().as_str(), Some("yes"));
        here.ping("b", SOON).unwrap();
        let within = runtime.block_on(async { here.send("b", intent()) });
        assert_eq!(within.unwrap_err().kind(), ErrorKind::Refused);
        here.close(SOON).unwrap();
        assert!(a.is_closed());
    }
}
