use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use shiome::RactorMessage;
use tokio::sync::Notify;

/// Notices changes of the group.
pub(super) struct Watcher;

#[derive(RactorMessage)]
pub(super) enum Nothing {}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Watcher {
    type Msg = Nothing;
    type State = Arc<Notify>;
    type Arguments = Arc<Notify>;

    async fn pre_start(
        &self,
        _myself: ActorRef<Nothing>,
        changed: Arc<Notify>,
    ) -> Result<Arc<Notify>, ActorProcessingErr> {
        Ok(changed)
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Nothing>,
        event: SupervisionEvent,
        changed: &mut Arc<Notify>,
    ) -> Result<(), ActorProcessingErr> {
        if matches!(event, SupervisionEvent::ProcessGroupChanged(_)) {
            changed.notify_one();
        }
        Ok(())
    }
}
