//! How handlers and interceptors are registered.

use std::{future::Future, sync::Arc};

use serde::de::DeserializeOwned;

use super::Peer;
use crate::{
    BusError, Delivery, Envelope, Pattern, Subscription, Verdict,
    handlers::{Call, Failure, Outcome, Times, What},
};

/// # Handlers
///
/// Handlers run one at a time, in the order of registration, each for every delivery whose name its pattern matches, unless
/// the peer was given more [concurrency](crate::PeerOptions::concurrency). A delivery goes to the handlers that there are when it begins. A
/// handler may call anything: send, register and remove handlers, close. One that panics or returns an error stops neither the
/// others nor the peer; both are counted, and told to a sender who waits for
/// [`Level::Handled`](crate::Level::Handled).
///
/// A handler that blocks its thread holds up other tasks of the runtime: give such a peer [its own
/// thread](crate::PeerOptions::own_thread). All fail with [`BusError::InvalidName`] when the pattern is none, and with
/// [`BusError::Closed`] once the peer is closed.
impl Peer {
    /// Registers a handler for a name or pattern.
    ///
    /// # Errors
    ///
    /// [`BusError::InvalidName`], [`BusError::Closed`].
    pub fn on<P, F, R>(&self, pattern: P, handler: F) -> Result<Subscription, BusError>
    where
        P: TryInto<Pattern>,
        BusError: From<P::Error>,
        F: Fn(&Delivery) -> R + Send + Sync + 'static,
        R: Outcome,
    {
        self.register(pattern.try_into()?, Times::Always, sync(handler))
    }

    /// Registers a handler that is a future. The next delivery waits until it is done.
    ///
    /// # Errors
    ///
    /// [`BusError::InvalidName`], [`BusError::Closed`].
    pub fn on_async<P, F, T>(&self, pattern: P, handler: F) -> Result<Subscription, BusError>
    where
        P: TryInto<Pattern>,
        BusError: From<P::Error>,
        F: Fn(Delivery) -> T + Send + Sync + 'static,
        T: Future<Output: Outcome> + Send + 'static,
    {
        self.register(pattern.try_into()?, Times::Always, future(handler))
    }

    /// Registers a handler for the next delivery alone. It is removed before it runs.
    ///
    /// # Errors
    ///
    /// [`BusError::InvalidName`], [`BusError::Closed`].
    pub fn once<P, F, R>(&self, pattern: P, handler: F) -> Result<Subscription, BusError>
    where
        P: TryInto<Pattern>,
        BusError: From<P::Error>,
        F: Fn(&Delivery) -> R + Send + Sync + 'static,
        R: Outcome,
    {
        self.register(pattern.try_into()?, Times::Once, sync(handler))
    }

    /// Registers a handler that is a future, for the next delivery alone. It is removed before it runs.
    ///
    /// # Errors
    ///
    /// [`BusError::InvalidName`], [`BusError::Closed`].
    pub fn once_async<P, F, T>(&self, pattern: P, handler: F) -> Result<Subscription, BusError>
    where
        P: TryInto<Pattern>,
        BusError: From<P::Error>,
        F: Fn(Delivery) -> T + Send + Sync + 'static,
        T: Future<Output: Outcome> + Send + 'static,
    {
        self.register(pattern.try_into()?, Times::Once, future(handler))
    }

    /// Registers a handler for all names but the reserved ones.
    ///
    /// # Errors
    ///
    /// [`BusError::Closed`].
    pub fn on_any<F, R>(&self, handler: F) -> Result<Subscription, BusError>
    where
        F: Fn(&Delivery) -> R + Send + Sync + 'static,
        R: Outcome,
    {
        self.register(Pattern::any(), Times::Always, sync(handler))
    }

    /// Registers a handler that is a future, for all names but the reserved ones.
    ///
    /// # Errors
    ///
    /// [`BusError::Closed`].
    pub fn on_any_async<F, T>(&self, handler: F) -> Result<Subscription, BusError>
    where
        F: Fn(Delivery) -> T + Send + Sync + 'static,
        T: Future<Output: Outcome> + Send + 'static,
    {
        self.register(Pattern::any(), Times::Always, future(handler))
    }

    /// Registers a handler that takes the payload as a value. A payload that is none counts as an error of the handler, which does not
    /// run; a sender who waits gets [`BusError::Serialization`].
    ///
    /// # Errors
    ///
    /// [`BusError::InvalidName`], [`BusError::Closed`].
    pub fn on_typed<V, P, F, R>(&self, pattern: P, handler: F) -> Result<Subscription, BusError>
    where
        V: DeserializeOwned,
        P: TryInto<Pattern>,
        BusError: From<P::Error>,
        F: Fn(V, &Delivery) -> R + Send + Sync + 'static,
        R: Outcome,
    {
        let call = move |delivery: &Delivery| {
            let value = delivery.parse().map_err(Failure::Payload)?;
            Failure::of(handler(value, delivery))
        };
        self.register(
            pattern.try_into()?,
            Times::Always,
            Call::Sync(Box::new(call)),
        )
    }

    /// Registers a handler that is a future and takes the payload as a value, as [`on_typed`](Self::on_typed).
    ///
    /// # Errors
    ///
    /// [`BusError::InvalidName`], [`BusError::Closed`].
    pub fn on_typed_async<V, P, F, T>(
        &self,
        pattern: P,
        handler: F,
    ) -> Result<Subscription, BusError>
    where
        V: DeserializeOwned + Send,
        P: TryInto<Pattern>,
        BusError: From<P::Error>,
        F: Fn(V, Delivery) -> T + Send + Sync + 'static,
        T: Future<Output: Outcome> + Send + 'static,
    {
        let call = move |delivery: Delivery| -> crate::BoxFuture<'static, Result<(), Failure>> {
            match delivery.parse() {
                Ok(value) => {
                    let future = handler(value, delivery);
                    Box::pin(async move { Failure::of(future.await) })
                }
                Err(error) => Box::pin(std::future::ready(Err(Failure::Payload(error)))),
            }
        };
        self.register(
            pattern.try_into()?,
            Times::Always,
            Call::Async(Box::new(call)),
        )
    }

    /// Removes all handlers that were registered for exactly that pattern, and says how many those were.
    pub fn off<P: TryInto<Pattern>>(&self, pattern: P) -> usize {
        let pattern = pattern.try_into();
        pattern.map_or(0, |pattern| self.node().handlers.remove_pattern(&pattern))
    }

    /// Lets `interceptor` see all that this peer sends, answers too, before it leaves. Interceptors run in the order of
    /// registration, in the call that sends.
    ///
    /// # Errors
    ///
    /// [`BusError::Closed`].
    pub fn intercept_outbound<F>(&self, interceptor: F) -> Result<Subscription, BusError>
    where
        F: Fn(&Envelope) -> Verdict + Send + Sync + 'static,
    {
        self.node().check_open()?;
        let id = self.node().outbound.add(Arc::new(interceptor));
        self.registered(What::Outbound(id))
    }

    /// Lets `interceptor` see all that this peer gets, answers too, before its handlers do. Interceptors run in the order of
    /// registration, where handlers run; for an answer, in the call that waits for it.
    ///
    /// # Errors
    ///
    /// [`BusError::Closed`].
    pub fn intercept_inbound<F>(&self, interceptor: F) -> Result<Subscription, BusError>
    where
        F: Fn(&Envelope) -> Verdict + Send + Sync + 'static,
    {
        self.node().check_open()?;
        let id = self.node().inbound.add(Arc::new(interceptor));
        self.registered(What::Inbound(id))
    }

    fn register(
        &self,
        pattern: Pattern,
        times: Times,
        call: Call,
    ) -> Result<Subscription, BusError> {
        self.node().check_open()?;
        let id = self.node().handlers.add(pattern, times, call);
        self.registered(What::Handler(id))
    }

    /// One that was registered while the peer ended goes with it.
    fn registered(&self, what: What) -> Result<Subscription, BusError> {
        let subscription = Subscription::new(self.node(), what);
        match self.node().is_ended() {
            true => Err(self.node().closed()),
            false => Ok(subscription),
        }
    }
}

fn sync<F, R>(handler: F) -> Call
where
    F: Fn(&Delivery) -> R + Send + Sync + 'static,
    R: Outcome,
{
    Call::Sync(Box::new(move |delivery| Failure::of(handler(delivery))))
}

fn future<F, T>(handler: F) -> Call
where
    F: Fn(Delivery) -> T + Send + Sync + 'static,
    T: Future<Output: Outcome> + Send + 'static,
{
    Call::Async(Box::new(move |delivery| {
        let future = handler(delivery);
        Box::pin(async move { Failure::of(future.await) })
    }))
}
