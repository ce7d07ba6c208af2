//! A node server with its events, and what the checks ask of it.

use std::time::Duration;

use ractor::rpc::CallResult;
use ractor::{Actor, ActorCell, ActorRef, Message, RpcReplyPort, pg};
use ractor_cluster::node::NodeServerSessionInformation;
use ractor_cluster::{NodeEventSubscription, NodeServer, NodeServerMessage, NodeSessionMessage};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep, timeout};

use crate::dialer::PATIENCE;
use crate::report::Checked;

pub const SCOPE: &str = "dropin";
pub const COOKIE: &str = "dropin cookie";

/// What a subscription was told.
pub type Event = (&'static str, NodeServerSessionInformation);

pub struct Cluster {
    pub server: ActorRef<NodeServerMessage>,
    pub events: UnboundedReceiver<Event>,
}

impl Cluster {
    pub async fn start(server: NodeServer) -> Result<Self, String> {
        let (server, _) = Actor::spawn(None, server, ())
            .await
            .map_err(|e| e.to_string())?;
        let events = subscribe(&server, "all")?;
        Ok(Self { server, events })
    }

    /// The next event, which must be of this kind.
    pub async fn event(&mut self, kind: &str) -> Result<NodeServerSessionInformation, String> {
        match self
            .any_event()
            .await
            .map_err(|error| format!("{error}: {kind}"))?
        {
            (actual, session) if actual == kind => Ok(session),
            (actual, _) => Err(format!("waited for event {kind}, got {actual}")),
        }
    }

    /// The kind of the next event.
    pub async fn next_event(&mut self) -> Result<&'static str, String> {
        Ok(self.any_event().await?.0)
    }

    async fn any_event(&mut self) -> Result<Event, String> {
        next("event", &mut self.events).await
    }

    /// The events that end in a session that can be used.
    pub async fn ready(&mut self) -> Result<NodeServerSessionInformation, String> {
        self.event("opened").await?;
        self.event("authenticated").await?;
        self.event("ready").await
    }

    /// The one session that there is.
    pub async fn session(&self) -> Result<NodeServerSessionInformation, String> {
        let mut sessions = self.sessions().await?;
        match sessions.len() {
            1 => Ok(sessions.remove(0)),
            count => Err(format!("{count} sessions")),
        }
    }

    /// By node id, which is also their key.
    pub async fn sessions(&self) -> Result<Vec<NodeServerSessionInformation>, String> {
        let sessions = ask(&self.server, NodeServerMessage::GetSessions).await?;
        if sessions
            .iter()
            .any(|(node_id, session)| *node_id != session.node_id)
        {
            return Err("a session is listed under another node id".into());
        }
        let mut sessions: Vec<_> = sessions.into_values().collect();
        sessions.sort_by_key(|session| session.node_id);
        Ok(sessions)
    }

    /// The names of the peers, sorted.
    pub async fn peers(&self) -> Result<Vec<String>, String> {
        let sessions = self.sessions().await?;
        let peers = sessions.into_iter().filter_map(|session| session.peer_name);
        let mut names: Vec<_> = peers.map(|peer| peer.name).collect();
        names.sort();
        Ok(names)
    }

    pub async fn stop(self) -> Checked {
        let stopped = self.server.stop_and_wait(None, Some(PATIENCE)).await;
        stopped.map_err(|error| error.to_string())
    }
}

/// Subscribes to events under this id.
pub fn subscribe(
    server: &ActorRef<NodeServerMessage>,
    id: &str,
) -> Result<UnboundedReceiver<Event>, String> {
    let (sender, events) = unbounded_channel();
    let subscription = Box::new(Subscription(sender));
    let message = NodeServerMessage::SubscribeToEvents {
        id: id.into(),
        subscription,
    };
    server.cast(message).map_err(|error| error.to_string())?;
    Ok(events)
}

struct Subscription(UnboundedSender<Event>);

impl Subscription {
    fn tell(&self, kind: &'static str, session: NodeServerSessionInformation) {
        // The receiver may have lost interest.
        let _ = self.0.send((kind, session));
    }
}

impl NodeEventSubscription for Subscription {
    fn node_session_opened(&self, session: NodeServerSessionInformation) {
        self.tell("opened", session);
    }

    fn node_session_disconnected(&self, session: NodeServerSessionInformation) {
        self.tell("disconnected", session);
    }

    fn node_session_authenticated(&self, session: NodeServerSessionInformation) {
        self.tell("authenticated", session);
    }

    fn node_session_ready(&self, session: NodeServerSessionInformation) {
        self.tell("ready", session);
    }
}

pub async fn is_authenticated(session: &ActorRef<NodeSessionMessage>) -> Result<bool, String> {
    ask(session, NodeSessionMessage::GetAuthenticationState).await
}

pub async fn is_ready(session: &ActorRef<NodeSessionMessage>) -> Result<bool, String> {
    ask(session, NodeSessionMessage::GetReadyState).await
}

pub async fn ask<M: Message, R: Send + 'static>(
    actor: &ActorRef<M>,
    question: impl FnOnce(RpcReplyPort<R>) -> M,
) -> Result<R, String> {
    match actor.call(question, Some(PATIENCE)).await {
        Ok(CallResult::Success(answer)) => Ok(answer),
        Ok(CallResult::Timeout) => Err("no answer in time".into()),
        Ok(CallResult::SenderError) => Err("the question was dropped".into()),
        Err(error) => Err(format!("the question was not sent: {error}")),
    }
}

pub fn remote_members(group: &str) -> Vec<ActorCell> {
    let mut members = pg::get_scoped_members(&SCOPE.into(), &group.into());
    members.retain(|member| !member.get_id().is_local());
    members
}

pub fn join(group: &str, actor: ActorCell) {
    pg::join_scoped(SCOPE.into(), group.into(), vec![actor]);
}

/// Waits until the group has one remote member, and returns it as an actor of this message.
pub async fn member<M: Message>(group: &str) -> Result<ActorRef<M>, String> {
    wait_members(group, 1).await?;
    let member = remote_members(group).pop();
    member
        .map(ActorRef::from)
        .ok_or_else(|| format!("{group} lost its member"))
}

pub async fn wait_members(group: &str, count: usize) -> Checked {
    wait(&format!("{count} remote members of {group}"), async || {
        Ok(remote_members(group).len() == count)
    })
    .await
}

/// Polls a condition that no event tells of.
pub async fn wait(what: &str, holds: impl AsyncFn() -> Result<bool, String>) -> Checked {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await? {
        if Instant::now() > deadline {
            return Err(format!("waited in vain for {what}"));
        }
        sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// The next thing that an actor or a subscription hands on.
pub async fn next<T>(what: &str, heard: &mut UnboundedReceiver<T>) -> Result<T, String> {
    let next = timeout(PATIENCE, heard.recv())
        .await
        .map_err(|_| format!("no {what}"))?;
    next.ok_or_else(|| format!("nobody is left to tell of {what}"))
}
