use ractor_cluster::NodeEventSubscription;
use ractor_cluster::node::NodeServerSessionInformation;
use tokio::sync::mpsc;

/// What a session has come to.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    Ready,
    Ended,
}

/// Tells of the one session that there is.
pub struct Events(pub mpsc::UnboundedSender<Event>);

impl NodeEventSubscription for Events {
    fn node_session_opened(&self, _session: NodeServerSessionInformation) {}

    #[cfg(not(feature = "api-0-15"))]
    fn node_session_authenticated(&self, _session: NodeServerSessionInformation) {}

    #[cfg(feature = "api-0-15")]
    fn node_session_authenicated(&self, _session: NodeServerSessionInformation) {}

    fn node_session_ready(&self, _session: NodeServerSessionInformation) {
        // Nobody listens any longer when all is told.
        let _ = self.0.send(Event::Ready);
    }

    fn node_session_disconnected(&self, _session: NodeServerSessionInformation) {
        let _ = self.0.send(Event::Ended);
    }
}
