//! Process groups.

use ractor::{ActorId, pg};

use super::{GroupMemberView, GroupView, Inspector, Page, PageError, Paged};

/// Members of a group that are told one by one.
pub const MAX_GROUP_MEMBERS: usize = 100;

impl Inspector {
    /// Process groups that this process knows, by scope and name.
    ///
    /// # Errors
    ///
    /// [`PageError`].
    pub fn groups(&self, page: &Page) -> Result<Paged<GroupView>, PageError> {
        page.check()?;
        let keys = pg::which_scopes_and_groups().into_iter();
        let keys = keys.map(|key| (key.get_scope(), key.get_group()));
        let found = keys.filter(|(_, name)| page.matches(None, Some(name)));
        let part = page.of(found.map(|key| (key.clone(), key)))?;
        let items = part.items.into_iter();
        Ok(Paged {
            items: items.map(|(scope, name)| view(scope, name)).collect(),
            total: part.total,
            next: part.next,
        })
    }
}

fn view(scope: String, name: String) -> GroupView {
    let mut members = pg::get_scoped_members(&scope, &name);
    let local = members.iter().filter(|m| m.get_id().is_local()).count();
    let remote = members.len() - local;
    members.sort_by_key(|member| place(member.get_id()));
    members.truncate(MAX_GROUP_MEMBERS);
    let members = members.iter().map(|member| {
        let (node_id, pid) = place(member.get_id());
        GroupMemberView {
            node_id,
            pid,
            name: member.get_name(),
        }
    });
    GroupView {
        members: members.collect(),
        scope,
        name,
        local,
        remote,
    }
}

fn place(id: ActorId) -> (u64, u64) {
    match id {
        ActorId::Local(pid) => (0, pid),
        ActorId::Remote { node_id, pid } => (node_id, pid),
    }
}
