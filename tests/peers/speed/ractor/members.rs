//! Waits for remote members of groups.

use std::collections::HashMap;

use ractor::pg::{self, GroupChangeMessage};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::mpsc;

pub const COUNTERS_GROUP: &str = "counters";
pub const IDLE_GROUP: &str = "idle";

/// Tells of each remote member that joins a group.
pub struct Watch {
    joined: mpsc::UnboundedReceiver<(String, usize)>,
    seen: HashMap<String, usize>,
}

impl Watch {
    pub async fn start() -> Result<Self, String> {
        let (teller, joined) = mpsc::unbounded_channel();
        let (watcher, _) = Actor::spawn(None, Watcher(teller), ())
            .await
            .map_err(|error| error.to_string())?;
        for group in [COUNTERS_GROUP, IDLE_GROUP] {
            pg::monitor(group.to_owned(), watcher.get_cell());
        }
        let seen = HashMap::new();
        Ok(Self { joined, seen })
    }

    /// Returns when so many have joined.
    pub async fn members(&mut self, group: &str, count: usize) -> Result<(), String> {
        while self.seen.get(group).copied().unwrap_or(0) < count {
            let (group, joined) = self.joined.recv().await.ok_or("nobody watches")?;
            *self.seen.entry(group).or_default() += joined;
        }
        Ok(())
    }
}

struct Watcher(mpsc::UnboundedSender<(String, usize)>);

impl Actor for Watcher {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _myself: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<()>,
        event: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ProcessGroupChanged(GroupChangeMessage::Join(_, group, actors)) =
            event
        {
            let remote = actors.iter().filter(|actor| !actor.get_id().is_local());
            let _ = self.0.send((group, remote.count()));
        }
        Ok(())
    }
}
