use std::sync::Arc;

use ractor::{
    Actor, ActorProcessingErr, ActorRef, SupervisionEvent,
    registry::{PidLifecycleEvent, pid_registry},
};

use super::Exposure;
use crate::remote_actor::Never;

/// Takes actors that have ended off the list of the exported. Ends with the node server, which it is linked to.
pub(crate) struct Sweeper;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Sweeper {
    type Msg = Never;
    type State = Arc<Exposure>;
    type Arguments = Arc<Exposure>;

    async fn pre_start(
        &self,
        myself: ActorRef<Never>,
        exposure: Arc<Exposure>,
    ) -> Result<Arc<Exposure>, ActorProcessingErr> {
        pid_registry::monitor(myself.get_cell());
        Ok(exposure)
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Never>,
        event: SupervisionEvent,
        exposure: &mut Arc<Exposure>,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::PidLifecycleEvent(PidLifecycleEvent::Terminate(actor)) = event {
            exposure.forget(actor.get_id().pid());
        }
        Ok(())
    }
}
