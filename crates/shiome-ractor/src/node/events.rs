use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use tracing::error;

use super::NodeServerSessionInformation;

/// Hears of sessions as they come and go. All methods do nothing by default.
///
/// They run in the node server's actor, one at a time: a slow one delays what the server does next, a panic is caught
/// and logged.
pub trait NodeEventSubscription: Send + 'static {
    /// A connection is open. Nothing is proven yet.
    fn node_session_opened(&self, session: NodeServerSessionInformation) {
        let _ = session;
    }

    /// A session has ended, authenticated or not.
    fn node_session_disconnected(&self, session: NodeServerSessionInformation) {
        let _ = session;
    }

    /// Both nodes know the cookie.
    fn node_session_authenticated(&self, session: NodeServerSessionInformation) {
        #[expect(
            deprecated,
            reason = "implementors of the old spelling are called through it"
        )]
        self.node_session_authenicated(session);
    }

    /// The old spelling of [`node_session_authenticated`](Self::node_session_authenticated).
    #[deprecated(note = "implement `node_session_authenticated`")]
    fn node_session_authenicated(&self, session: NodeServerSessionInformation) {
        let _ = session;
    }

    /// Both nodes have told each other their actors and groups.
    fn node_session_ready(&self, session: NodeServerSessionInformation) {
        let _ = session;
    }
}

/// What happens to a session.
#[derive(Debug, Clone, Copy)]
pub(super) enum SessionEvent {
    Opened,
    Authenticated,
    Ready,
    Disconnected,
}

/// All subscriptions, by id.
#[derive(Default)]
pub(super) struct Subscriptions(HashMap<String, Box<dyn NodeEventSubscription>>);

impl std::fmt::Debug for Subscriptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Subscriptions {
    pub(super) fn add(&mut self, id: String, subscription: Box<dyn NodeEventSubscription>) {
        self.0.insert(id, subscription);
    }

    pub(super) fn remove(&mut self, id: &str) {
        self.0.remove(id);
    }

    pub(super) fn tell(&self, event: SessionEvent, session: &NodeServerSessionInformation) {
        for (id, subscription) in &self.0 {
            let session = session.clone();
            let told = catch_unwind(AssertUnwindSafe(|| match event {
                SessionEvent::Opened => subscription.node_session_opened(session),
                SessionEvent::Authenticated => subscription.node_session_authenticated(session),
                SessionEvent::Ready => subscription.node_session_ready(session),
                SessionEvent::Disconnected => subscription.node_session_disconnected(session),
            }));
            if told.is_err() {
                error!(id, ?event, "event subscription panicked");
            }
        }
    }
}
