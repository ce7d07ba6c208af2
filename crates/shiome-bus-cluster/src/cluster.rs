//! The links of a bus to all nodes of the cluster.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use shiome_bus::{Bus, LinkState, LinkStats, PeerId, WeakBus};
use shiome_ractor::{Channel, ChannelError, ChannelLink, Node};
use tokio::{
    sync::watch,
    task::{Id, JoinSet},
    time::{Instant, sleep_until, timeout},
};
use tracing::{debug, warn};

use crate::{
    link::{ClusterLink, GOODBYE_TIMEOUT, Shared},
    options::{CHANNEL, ClusterOptions, MIN_MAX_MESSAGE_LEN, NodeRole},
    speaker::{self, End},
};

/// Nodes whose session was lost and who may come back, at most. The first lost is forgotten first.
const MAX_LOST: usize = 1024;

/// The links of a bus over the sessions of a node, one for each other node that has them, too.
///
/// They come and go with the sessions, and keep neither node nor bus. When it is dropped, they say goodbye.
pub struct ClusterBus {
    links: Arc<Links>,
    /// `true`: it is to end.
    stop: watch::Sender<bool>,
    /// Without a receiver it has ended.
    ended: watch::Receiver<()>,
}

/// One of the links of a [`ClusterBus`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NodeLink {
    /// Full name of the other node, `name@host`.
    pub node: String,
    /// How it is; [`Connecting`](LinkState::Connecting) when the session was lost.
    pub state: LinkState,
    /// What it has done.
    pub stats: LinkStats,
}

/// The links by the name of the node.
#[derive(Default)]
struct Links(Mutex<HashMap<String, Entry>>);

struct Entry {
    shared: Arc<Shared>,
    /// The task that speaks with the node.
    task: Option<tokio::task::AbortHandle>,
    lost_at: Option<Instant>,
}

impl Links {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        // The map is whole after any panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClusterBus {
    /// Links the bus over the sessions of the node, those that there are and those that come.
    ///
    /// # Errors
    ///
    /// [`ChannelError::NameInUse`] when a bus is linked over this node, [`ChannelError::Closed`] when the node has stopped,
    /// [`ChannelError::TooMany`] when it has too many channels.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn new(node: &Node, bus: &Bus, options: ClusterOptions) -> Result<Self, ChannelError> {
        let channel = node.channel(CHANNEL, options.channel())?;
        let links = Arc::new(Links::default());
        let (stop, stopped) = watch::channel(false);
        let (ends, ended) = watch::channel(());
        let keeper = Keeper {
            bus: bus.downgrade(),
            options,
            links: Arc::clone(&links),
            speakers: JoinSet::new(),
            nodes: HashMap::new(),
        };
        tokio::spawn(async move {
            keeper.run(channel, stopped).await;
            drop(ends);
        });
        Ok(Self { links, stop, ended })
    }

    /// The links, by the names of their nodes.
    #[must_use]
    pub fn links(&self) -> Vec<NodeLink> {
        let links = self.links.lock();
        let links = links.iter().map(|(node, entry)| NodeLink {
            node: node.clone(),
            state: entry.shared.told(),
            stats: entry.shared.stats(),
        });
        let mut links: Vec<_> = links.collect();
        links.sort_by(|one, other| one.node.cmp(&other.node));
        links
    }

    /// Peers of this bus that another node does not know, because it knows another of that name: the node, and the peer. As the
    /// node has told; that it knows the peer since is not told.
    #[must_use]
    pub fn taken(&self) -> Vec<(String, PeerId)> {
        let links = self.links.lock();
        let mut taken = Vec::new();
        for (node, entry) in links.iter() {
            let peers = entry.shared.state().taken.clone();
            taken.extend(peers.into_iter().map(|peer| (node.clone(), peer)));
        }
        taken.sort();
        taken
    }

    /// Says goodbye to all nodes, and waits until they have heard it, for a second at most. What waits is not sent:
    /// [`Bus::close`] sends it.
    pub async fn close(mut self) {
        self.stop.send_replace(true);
        while self.ended.changed().await.is_ok() {}
    }
}

impl Drop for ClusterBus {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

impl fmt::Debug for ClusterBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterBus")
            .field("links", &self.links())
            .finish_non_exhaustive()
    }
}

/// Keeps the links.
struct Keeper {
    bus: WeakBus,
    options: ClusterOptions,
    links: Arc<Links>,
    speakers: JoinSet<End>,
    /// The node that a speaker speaks with.
    nodes: HashMap<Id, String>,
}

impl Keeper {
    async fn run(mut self, mut channel: Channel, mut stopped: watch::Receiver<bool>) {
        loop {
            let forget_at = self.forget_at();
            tokio::select! {
                biased;
                _ = stopped.wait_for(|stop| *stop) => break,
                Some(ended) = self.speakers.join_next_with_id() => match ended {
                    Ok((task, end)) => self.ended(task, end),
                    Err(error) => self.ended(error.id(), End::Lost),
                },
                link = channel.accept() => match link {
                    Some(link) => self.accept(link),
                    // The node has stopped.
                    None => break,
                },
                () = until(forget_at) => self.forget(),
            }
        }
        self.end().await;
    }

    /// A node has the channel, too.
    fn accept(&mut self, link: ChannelLink) {
        let node = link.peer().name.clone();
        let role = self.options.role(link.peer());
        if role == NodeRole::Stranger {
            debug!(node, "no link with that node");
            self.speakers.spawn(speaker::decline(link));
            return;
        }
        if link.max_message_len() < MIN_MAX_MESSAGE_LEN {
            warn!(node, "it takes too short messages for a bus");
            self.speakers.spawn(speaker::decline(link));
            return;
        }
        let Some(shared) = self.link_to(&node, role) else {
            return;
        };
        let task = self.speakers.spawn(speaker::run(Arc::clone(&shared), link));
        self.nodes.insert(task.id(), node.clone());
        let entry = Entry {
            shared,
            task: Some(task),
            lost_at: None,
        };
        self.links.lock().insert(node, entry);
    }

    /// The link to a node that nobody speaks with: that of an earlier session, or a new one.
    fn link_to(&mut self, node: &str, role: NodeRole) -> Option<Arc<Shared>> {
        let remote = role.remote(id_of(node));
        let earlier = self.links.lock().remove(node);
        if let Some(earlier) = earlier {
            if let Some(task) = earlier.task {
                task.abort();
            }
            let shared = earlier.shared;
            if !shared.is_closed() && !shared.state().stop && shared.remote == remote {
                shared.down();
                return Some(shared);
            }
            shared.end("another session has come");
        }
        let shared = Arc::new(Shared::new(id_of(node), remote));
        let bus = self.bus.upgrade()?;
        let link = Arc::new(ClusterLink::new(&shared));
        match bus.attach(link, self.options.link(role)) {
            Ok(_) => Some(shared),
            Err(error) => {
                warn!(node, %error, "no link");
                None
            }
        }
    }

    /// Nobody speaks with a node any more.
    fn ended(&mut self, task: Id, end: End) {
        let Some(node) = self.nodes.remove(&task) else {
            return;
        };
        let mut links = self.links.lock();
        let Some(entry) = links.get_mut(&node) else {
            return;
        };
        if entry.task.as_ref().map(tokio::task::AbortHandle::id) != Some(task) {
            return;
        }
        entry.task = None;
        if end == End::Over || entry.shared.is_closed() || entry.shared.state().stop {
            let entry = links.remove(&node);
            drop(links);
            if let Some(entry) = entry {
                entry.shared.end("closed");
            }
            return;
        }
        entry.lost_at = Some(Instant::now());
        let shared = Arc::clone(&entry.shared);
        drop(links);
        // In case that the task did not come to it.
        shared.down();
    }

    /// When the next node that was lost is forgotten.
    fn forget_at(&self) -> Option<Instant> {
        let links = self.links.lock();
        let lost = links.values().filter_map(|entry| entry.lost_at);
        let count = lost.clone().count();
        let first = lost.min()?;
        match count > MAX_LOST {
            true => Some(first),
            false => first.checked_add(self.options.grace),
        }
    }

    /// Forgets the node that was lost first.
    fn forget(&mut self) {
        let forgotten = {
            let mut links = self.links.lock();
            let lost = links.iter();
            let lost = lost.filter_map(|(node, entry)| Some((entry.lost_at?, node.clone())));
            lost.min().and_then(|(_, node)| links.remove(&node))
        };
        if let Some(entry) = forgotten {
            entry.shared.end("the node did not come back");
        }
    }

    /// Ends all links.
    async fn end(mut self) {
        let links: Vec<_> = {
            let links = self.links.lock();
            links
                .values()
                .map(|entry| Arc::clone(&entry.shared))
                .collect()
        };
        links.iter().for_each(|shared| shared.stop());
        let last_words = async { while self.speakers.join_next().await.is_some() {} };
        let _ = timeout(GOODBYE_TIMEOUT * 2, last_words).await;
        self.links.lock().clear();
        links.iter().for_each(|shared| shared.end("closed"));
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// A node's name as the bus writes names: what it has no character for is `~`, and what is too long is cut.
fn id_of(node: &str) -> PeerId {
    let name: String = node
        .chars()
        .map(|char| match char {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '_' | '~' | '@' | '-' => char,
            _ => '~',
        })
        .take(shiome_bus::MAX_PEER_ID_LEN)
        .collect();
    let name = if name.is_empty() { "~" } else { &name };
    PeerId::new(name).expect("every character is one of a peer's name, and there are not too many")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_of_a_node_is_one_of_a_peer() {
        for (node, id) in [
            ("a@127.0.0.1", "a@127.0.0.1"),
            ("a@[::1]", "a@~~~1~"),
            ("", "~"),
            ("潮@目", "~@~"),
        ] {
            assert_eq!(id_of(node).as_str(), id);
        }
        assert_eq!(id_of(&"n".repeat(300)).as_str().len(), 128);
    }
}
