//! The bus for threads that run no tasks.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    task::{coop, unconstrained},
};

use crate::{BusError, Delivery, Intent, Peer, PeerId, Receipt, SendOptions, dispatch};

/// A peer whose calls return when they are done, as [`Peer::blocking`] gives it. Handlers are registered on the
/// [peer](Self::peer), whose tasks run on the runtime of the bus.
///
/// All calls fail with [`BusError::Refused`] in a task of a runtime, which they would stop, and others with it. Where a thread may wait
/// they do: in `spawn_blocking`, in threads of one's own, and in the handlers of a peer with [its own
/// thread](crate::PeerOptions::own_thread). Tasks that tokio calls `unconstrained` are not told from those.
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
        if is_in_task() && !dispatch::has_own_thread() {
            return Err(BusError::Refused("to block a task of a runtime".into()));
        }
        let _within = self.runtime.enter();
        wait(call)
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

/// What tokio lets a task do before it has to let others run is less than this.
const MORE_THAN_A_TASK_MAY: usize = 1024;

/// Whether this is code of a task: only those are to let others run now and then.
fn is_in_task() -> bool {
    let (mut cx, mut steps) = (Context::from_waker(Waker::noop()), Vec::new());
    let ends = (0..MORE_THAN_A_TASK_MAY).any(|_| match coop::poll_proceed(&mut cx) {
        Poll::Ready(step) => {
            steps.push(step);
            false
        }
        Poll::Pending => true,
    });
    // Each gives back what was left before it.
    while steps.pop().is_some() {}
    ends
}

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a future on this thread, also where a runtime is.
fn wait<F: Future>(future: F) -> F::Output {
    // The thread has nobody to let run.
    let mut future = pin!(unconstrained(future));
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bus, BusOptions, ErrorKind, Level, PeerOptions};

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

    #[tokio::test]
    async fn a_blocking_task_may_block_and_others_may_not() {
        let bus = Bus::new();
        let (a, b) = (bus.peer("a").unwrap(), bus.peer("b").unwrap());
        b.on("ask", |delivery| delivery.try_respond("yes").map(drop))
            .unwrap()
            .detach();
        let (here, ask) = (a.blocking(), Intent::new("ask", ()).unwrap());
        let (there, asks) = (here.clone(), ask.clone());
        let blocking = move || there.request("b", asks, SendOptions::default());
        let answer = tokio::task::spawn_blocking(blocking).await.unwrap();
        assert_eq!(answer.unwrap().payload().as_str(), Some("yes"));
        let (there, asks) = (here.clone(), ask.clone());
        let task = tokio::spawn(async move { there.send("b", asks).map(drop) });
        let refused = task.await.unwrap().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Refused);
        // To find out takes nothing from the task.
        assert!(is_in_task() && coop::has_budget_remaining());
        here.send("b", ask).unwrap_err();
    }

    #[tokio::test]
    async fn a_handler_with_a_thread_of_its_own_may_block() {
        let bus = Bus::new();
        let own = PeerOptions::default().own_thread();
        let (a, b) = (bus.peer("a").unwrap(), bus.peer_with("b", own).unwrap());
        a.on("deeper", |delivery| delivery.try_respond("found").map(drop))
            .unwrap()
            .detach();
        b.on("ask", |delivery| {
            let (here, from) = (delivery.peer()?.blocking(), delivery.from());
            let deeper = Intent::new("deeper", ())?;
            let found = here.request(from, deeper, SendOptions::default())?;
            delivery
                .try_respond(found.payload().value().clone())
                .map(drop)
        })
        .unwrap()
        .detach();
        let answer = a.request("b", Intent::new("ask", ()).unwrap()).await;
        assert_eq!(answer.unwrap().payload().as_str(), Some("found"));
    }
}
