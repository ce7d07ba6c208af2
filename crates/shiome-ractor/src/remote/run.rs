use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio::sync::watch;

use super::{CastError, NodeDown};
use crate::node::node_session::Shared;

/// Entries of ended runs that are kept before they are looked through.
const SWEEP_AT: usize = 64;

/// One run of another node, from its start to its end, over however many links.
///
/// A node that tells no incarnation may have started anew with each link, so there a link is a run.
pub(crate) struct Run {
    name: String,
    incarnation: u64,
    standing: watch::Sender<Standing>,
}

/// How a run stands with this node.
#[derive(Clone)]
enum Standing {
    Up(Weak<Shared>),
    Down(NodeDown),
    Over(RunEnd),
}

/// Why a run of another node is over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunEnd {
    /// The node runs anew, with another incarnation.
    Restarted,
    /// The node has said that it stops.
    Stopped,
    /// The session with a node that tells no incarnation has ended.
    SessionEnded(NodeDown),
}

impl fmt::Display for RunEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Restarted => f.write_str("the node was started anew"),
            Self::Stopped => f.write_str("the node has stopped"),
            Self::SessionEnded(why) => write!(f, "the session has ended, {why}"),
        }
    }
}

impl From<RunEnd> for NodeDown {
    fn from(end: RunEnd) -> Self {
        match end {
            RunEnd::Restarted => Self::Restarted,
            RunEnd::Stopped => Self::Stopped,
            RunEnd::SessionEnded(why) => why,
        }
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("name", &self.name)
            .field("incarnation", &self.incarnation)
            .finish_non_exhaustive()
    }
}

impl Run {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// The link to the node.
    pub(crate) fn link(&self) -> Result<Arc<Shared>, CastError> {
        let standing = self.standing.borrow();
        match &*standing {
            Standing::Up(link) => link
                .upgrade()
                .ok_or(CastError::NotConnected(NodeDown::Closed)),
            Standing::Down(why) => Err(CastError::NotConnected(why.clone())),
            Standing::Over(end) => Err(CastError::Ended(end.clone())),
        }
    }

    pub(crate) async fn ended(&self) -> RunEnd {
        let mut standing = self.standing.subscribe();
        loop {
            if let Standing::Over(end) = &*standing.borrow_and_update() {
                return end.clone();
            }
            // The sender is in this run, so there is always another change to wait for.
            let _ = standing.changed().await;
        }
    }

    /// Waits until the run goes on without that link.
    pub(super) async fn moves_on_from(&self, link: &Arc<Shared>) {
        let link = Arc::downgrade(link);
        let still = |standing: &Standing| matches!(standing, Standing::Up(up) if up.ptr_eq(&link));
        // The sender is in this run.
        let _ = self.standing.subscribe().wait_for(|now| !still(now)).await;
    }

    /// Changes how the run stands, unless it is over.
    fn enter(&self, next: Standing) {
        self.standing.send_if_modified(|standing| {
            let over = matches!(standing, Standing::Over(_));
            if !over {
                *standing = next;
            }
            !over
        });
    }

    /// How the run stands when its link has ended.
    fn without_link(&self, why: NodeDown) -> Standing {
        match why {
            NodeDown::Stopped => Standing::Over(RunEnd::Stopped),
            why if self.incarnation == 0 => Standing::Over(RunEnd::SessionEnded(why)),
            why => Standing::Down(why),
        }
    }
}

/// The latest run of each node that this one has met, as long as a session or a handle holds it.
#[derive(Debug, Default)]
pub(crate) struct Runs(Mutex<HashMap<String, Weak<Run>>>);

impl Runs {
    /// The node `name` is linked by `link`, in the run `incarnation`; 0 if it does not tell. Ends an earlier run of a node
    /// that told.
    pub(crate) fn link_up(&self, name: &str, incarnation: u64, link: Weak<Shared>) -> Arc<Run> {
        let mut runs = self.lock();
        let known = runs.get(name).and_then(Weak::upgrade);
        if let Some(run) = known {
            if incarnation != 0 && run.incarnation == incarnation && !run.is_over() {
                run.enter(Standing::Up(link));
                return run;
            }
            // Of a node that tells no incarnation there can be two links for a while, each a run that ends with it.
            if run.incarnation != 0 {
                run.enter(Standing::Over(RunEnd::Restarted));
            }
        }
        if runs.len() >= SWEEP_AT {
            runs.retain(|_, run| run.strong_count() > 0);
        }
        let (standing, _) = watch::channel(Standing::Up(link));
        let run = Arc::new(Run {
            name: name.to_owned(),
            incarnation,
            standing,
        });
        runs.insert(name.to_owned(), Arc::downgrade(&run));
        run
    }

    /// A link has ended. Without effect on a run that has another by now.
    pub(crate) fn link_down(run: &Run, link: &Weak<Shared>, why: NodeDown) {
        run.standing.send_if_modified(|standing| {
            let by_it = matches!(standing, Standing::Up(up) if up.ptr_eq(link));
            if by_it {
                *standing = run.without_link(why);
            }
            by_it
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Weak<Run>>> {
        // A map of references is whole after any panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run {
    fn is_over(&self) -> bool {
        matches!(&*self.standing.borrow(), Standing::Over(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(run: &Run) -> Option<CastError> {
        run.link().err()
    }

    #[test]
    fn a_run_survives_its_links_and_ends_with_the_next_run() {
        let runs = Runs::default();
        // Two links: weak references that tell apart.
        let run = runs.link_up("a@h", 7, Weak::new());
        run.enter(Standing::Down(NodeDown::Unresponsive));
        assert_eq!(
            why(&run),
            Some(CastError::NotConnected(NodeDown::Unresponsive))
        );
        let again = runs.link_up("a@h", 7, Weak::new());
        assert!(Arc::ptr_eq(&run, &again));
        let next = runs.link_up("a@h", 8, Weak::new());
        assert!(!Arc::ptr_eq(&run, &next));
        assert_eq!(why(&run), Some(CastError::Ended(RunEnd::Restarted)));
        // What is over stays over, for its first reason.
        run.enter(Standing::Over(RunEnd::Stopped));
        assert_eq!(why(&run), Some(CastError::Ended(RunEnd::Restarted)));
    }

    #[test]
    fn a_node_that_tells_no_incarnation_has_a_run_for_each_link() {
        let runs = Runs::default();
        let run = runs.link_up("a@h", 0, Weak::new());
        let next = runs.link_up("a@h", 0, Weak::new());
        assert!(!Arc::ptr_eq(&run, &next));
        // The peer may yet decide for the first of two links.
        assert!(!run.is_over());
        Runs::link_down(&run, &Weak::new(), NodeDown::Replaced);
        let ended = RunEnd::SessionEnded(NodeDown::Replaced);
        assert_eq!(why(&run), Some(CastError::Ended(ended)));
        assert!(!next.is_over());
    }

    #[test]
    fn runs_that_nobody_holds_are_forgotten() {
        let runs = Runs::default();
        for n in 0..10 * SWEEP_AT {
            runs.link_up(&format!("n{n}@h"), 1, Weak::new());
        }
        assert!(runs.lock().len() <= SWEEP_AT);
    }

    #[tokio::test]
    async fn the_end_of_a_run_is_told_also_to_those_who_ask_later() {
        let runs = Runs::default();
        let run = runs.link_up("a@h", 7, Weak::new());
        let (end, ()) = tokio::join!(run.ended(), async {
            runs.link_up("a@h", 8, Weak::new());
        });
        assert_eq!(end, RunEnd::Restarted);
        assert_eq!(run.ended().await, RunEnd::Restarted);
    }
}
