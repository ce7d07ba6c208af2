//! Process groups, seen from commands.

use std::collections::BTreeSet;
use std::time::Duration;

use ractor::pg::{self, DEFAULT_SCOPE};
use ractor::{ActorCell, ActorId};

use crate::node::Node;
use crate::sessions::poll;
use crate::words::Words;

pub struct Group {
    scope: String,
    group: String,
}

impl Group {
    pub fn parse(words: &mut Words<'_>) -> Result<Self, String> {
        let scope = words.text("scope")?;
        Self::named(scope, words)
    }

    fn named(scope: &str, words: &mut Words<'_>) -> Result<Self, String> {
        let scope = if scope == "-" { DEFAULT_SCOPE } else { scope };
        Ok(Self {
            scope: scope.into(),
            group: words.text("group")?.into(),
        })
    }

    fn in_default_scope(&self) -> bool {
        self.scope == DEFAULT_SCOPE
    }

    pub fn join(self, actor: ActorCell) {
        if self.in_default_scope() {
            pg::join(self.group, vec![actor]);
        } else {
            pg::join_scoped(self.scope, self.group, vec![actor]);
        }
    }

    pub fn leave(self, actor: ActorCell) {
        if self.in_default_scope() {
            pg::leave(self.group, vec![actor]);
        } else {
            pg::leave_scoped(self.scope, self.group, vec![actor]);
        }
    }

    fn all(&self) -> Vec<ActorCell> {
        let mut members = pg::get_scoped_members(&self.scope, &self.group);
        members.sort_by_key(|member| sort_key(member.get_id()));
        members
    }

    /// Members on other nodes, in a fixed order.
    pub fn remote(&self) -> Vec<ActorCell> {
        let mut members = self.all();
        members.retain(|member| !member.get_id().is_local());
        members
    }

    pub fn list(&self) -> String {
        let members = self.all();
        let members = members.iter().map(|member| match member.get_id() {
            ActorId::Local(pid) => format!("local:{pid}"),
            ActorId::Remote { node_id, pid } => format!("remote:{node_id}.{pid}"),
        });
        members.collect::<Vec<_>>().join(" ")
    }

    /// The distinct node ids of the remote members.
    pub fn node_ids(&self) -> String {
        let ids: BTreeSet<_> = self
            .remote()
            .iter()
            .map(|member| member.get_id().node())
            .collect();
        ids.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")
    }

    pub async fn wait_for(&self, count: usize, patience: Duration) -> Result<(), String> {
        poll(patience, async || {
            Ok((self.remote().len() == count).then_some(()))
        })
        .await
        .map_err(|error| format!("{error}, remote members: {}", self.remote().len()))
    }
}

fn sort_key(id: ActorId) -> (bool, u64, u64) {
    (!id.is_local(), id.node(), id.pid())
}

/// Where a message goes: `@REF`, or `SCOPE GROUP` for its first remote member.
pub fn target(node: &Node, words: &mut Words<'_>) -> Result<ActorCell, String> {
    let first = words.text("scope")?;
    if let Some(name) = first.strip_prefix('@') {
        return held(node, name);
    }
    let group = Group::named(first, words)?;
    group
        .remote()
        .into_iter()
        .next()
        .ok_or_else(|| "no remote member".into())
}

pub fn held(node: &Node, name: &str) -> Result<ActorCell, String> {
    node.refs
        .get(name)
        .cloned()
        .ok_or_else(|| format!("no reference {name}"))
}
