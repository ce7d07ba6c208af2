//! Node events, printed as they happen.

use ractor_cluster::NodeEventSubscription;
use ractor_cluster::node::NodeServerSessionInformation;

use crate::say;

pub struct Events;

impl Events {
    fn print(event: &str, session: &NodeServerSessionInformation) {
        let name = session
            .peer_name
            .as_ref()
            .map_or("?", |peer| peer.name.as_str());
        say(&format!("event {event} {name}"));
    }
}

impl NodeEventSubscription for Events {
    fn node_session_opened(&self, session: NodeServerSessionInformation) {
        Self::print("opened", &session);
    }

    #[cfg(not(feature = "api-0-15"))]
    fn node_session_authenticated(&self, session: NodeServerSessionInformation) {
        Self::print("authenticated", &session);
    }

    #[cfg(feature = "api-0-15")]
    fn node_session_authenicated(&self, session: NodeServerSessionInformation) {
        Self::print("authenticated", &session);
    }

    fn node_session_ready(&self, session: NodeServerSessionInformation) {
        Self::print("ready", &session);
    }

    fn node_session_disconnected(&self, session: NodeServerSessionInformation) {
        Self::print("disconnected", &session);
    }
}
