use std::sync::Mutex;

use ractor_cluster::NodeEventSubscription;
use ractor_cluster::node::NodeServerSessionInformation;
use tokio::sync::oneshot;

/// Tells when a session is ready.
pub struct Ready(pub Mutex<Option<oneshot::Sender<()>>>);

impl NodeEventSubscription for Ready {
    fn node_session_opened(&self, _session: NodeServerSessionInformation) {}

    #[cfg(not(feature = "api-0-15"))]
    fn node_session_authenticated(&self, _session: NodeServerSessionInformation) {}

    #[cfg(feature = "api-0-15")]
    fn node_session_authenicated(&self, _session: NodeServerSessionInformation) {}

    fn node_session_ready(&self, _session: NodeServerSessionInformation) {
        let teller = self.0.lock().ok().and_then(|mut teller| teller.take());
        if let Some(teller) = teller {
            let _ = teller.send(());
        }
    }

    fn node_session_disconnected(&self, _session: NodeServerSessionInformation) {}
}
