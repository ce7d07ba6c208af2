use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};

use super::{NodeSession, NodeSessionMessage, NodeSessionState};
use crate::node::Opened;

/// A [`NodeSession`] of a connection of any kind, with all that belongs to it.
#[derive(Debug)]
pub(in crate::node) struct OpenedSession(pub(in crate::node) NodeSession);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for OpenedSession {
    type Msg = NodeSessionMessage;
    type State = NodeSessionState;
    type Arguments = Opened;

    async fn pre_start(
        &self,
        myself: ActorRef<NodeSessionMessage>,
        opened: Opened,
    ) -> Result<NodeSessionState, ActorProcessingErr> {
        self.0.begin(myself, opened)
    }

    async fn post_stop(
        &self,
        myself: ActorRef<NodeSessionMessage>,
        state: &mut NodeSessionState,
    ) -> Result<(), ActorProcessingErr> {
        self.0.post_stop(myself, state).await
    }

    async fn handle(
        &self,
        myself: ActorRef<NodeSessionMessage>,
        message: NodeSessionMessage,
        state: &mut NodeSessionState,
    ) -> Result<(), ActorProcessingErr> {
        self.0.handle(myself, message, state).await
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<NodeSessionMessage>,
        event: SupervisionEvent,
        state: &mut NodeSessionState,
    ) -> Result<(), ActorProcessingErr> {
        self.0.handle_supervisor_evt(myself, event, state).await
    }
}
