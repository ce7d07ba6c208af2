//! Actors of this process, and those that peers have announced.

use ractor::{ActorCell, ActorStatus, registry::get_all_pids};

use super::{ActorView, Inspector, Page, PageError, Paged};
use crate::NodeId;

impl Inspector {
    /// Actors of this process, by number.
    ///
    /// # Errors
    ///
    /// [`PageError`].
    pub fn actors(&self, page: &Page) -> Result<Paged<ActorView>, PageError> {
        page.check()?;
        let actors = get_all_pids().into_iter();
        let local = actors.filter(|actor| actor.get_id().is_local());
        let found = local.filter(|actor| {
            let name = actor.get_name();
            page.matches(Some(actor.get_id().pid()), name.as_deref())
        });
        let part = page.of(found.map(|actor| (actor.get_id().pid(), actor)))?;
        Ok(Paged {
            items: part.items.iter().map(|actor| self.view(actor)).collect(),
            total: part.total,
            next: part.next,
        })
    }

    /// Actors that the peer of the connection of that number has announced, by number. The session is locked while they
    /// are looked through.
    ///
    /// # Errors
    ///
    /// [`PageError`].
    pub fn remote_actors(
        &self,
        node_id: NodeId,
        page: &Page,
    ) -> Result<Paged<ActorView>, PageError> {
        page.check()?;
        let link = self.link(node_id).ok_or(PageError::NoSession)?;
        let part = link.peer.apply(|session, _| {
            let pids = session.remote_pids();
            let found = pids.filter(|pid| page.matches(Some(*pid), session.remote_name(*pid)));
            let part = page.of(found.map(|pid| (pid, pid)))?;
            let named = part.items.iter();
            let named = named.map(|pid| (*pid, session.remote_name(*pid).map(str::to_owned)));
            Ok(Paged {
                items: named.collect::<Vec<_>>(),
                total: part.total,
                next: part.next,
            })
        })?;
        let items = part.items.into_iter().map(|(pid, name)| ActorView {
            pid,
            name,
            remotable: true,
            exposed: true,
            ..ActorView::default()
        });
        Ok(Paged {
            items: items.collect(),
            total: part.total,
            next: part.next,
        })
    }

    fn view(&self, actor: &ActorCell) -> ActorView {
        let pid = actor.get_id().pid();
        ActorView {
            pid,
            name: actor.get_name(),
            status: status(actor.get_status()).to_owned(),
            remotable: actor.supports_remoting(),
            exposed: actor.supports_remoting() && self.exposure.exposes(pid),
            supervisor: actor.try_get_supervisor().map(|above| above.get_id().pid()),
        }
    }
}

fn status(status: ActorStatus) -> &'static str {
    match status {
        ActorStatus::Unstarted => "unstarted",
        ActorStatus::Starting => "starting",
        ActorStatus::Running => "running",
        ActorStatus::Upgrading => "upgrading",
        ActorStatus::Draining => "draining",
        ActorStatus::Stopping => "stopping",
        ActorStatus::Stopped => "stopped",
    }
}
