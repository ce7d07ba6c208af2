//! The sessions of the node server.

use std::time::Duration;

use ractor::rpc::CallResult;
use ractor::{ActorCell, ActorRef, Message, RpcReplyPort};
use ractor_cluster::node::NodeServerSessionInformation;
use ractor_cluster::{NodeServerMessage, NodeSessionMessage};
use tokio::time::{Instant, sleep};

/// The cluster's own actors answer at once, or are about to go.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// An authenticated session.
pub struct Session {
    pub name: String,
    pub connection_string: String,
    pub info: NodeServerSessionInformation,
}

impl Session {
    /// `name` with or without the host.
    pub fn is_with(&self, name: &str) -> bool {
        self.name == name || self.name.split('@').next() == Some(name)
    }

    async fn is_ready(&self) -> bool {
        ask(&self.info.actor, NodeSessionMessage::GetReadyState).await == Some(true)
    }

    fn remote_children(&self) -> Vec<ActorCell> {
        let mut children = self.info.actor.get_cell().get_children();
        children.retain(|child| !child.get_id().is_local());
        children.sort_by_key(|child| child.get_id().pid());
        children
    }
}

/// The authenticated sessions by name.
pub async fn sessions(server: &ActorRef<NodeServerMessage>) -> Result<Vec<Session>, String> {
    let all = ask(server, NodeServerMessage::GetSessions)
        .await
        .ok_or("the node server is silent")?;
    let mut sessions = Vec::new();
    for info in all.into_values() {
        let Some(peer) = info.peer_name.clone() else {
            continue;
        };
        if ask(&info.actor, NodeSessionMessage::GetAuthenticationState).await == Some(true) {
            let (name, connection_string) = (peer.name, peer.connection_string);
            sessions.push(Session {
                name,
                connection_string,
                info,
            });
        }
    }
    sessions.sort_by(|a, b| (&a.name, a.info.node_id).cmp(&(&b.name, b.info.node_id)));
    Ok(sessions)
}

pub async fn list(server: &ActorRef<NodeServerMessage>) -> Result<String, String> {
    let lines = sessions(server).await?;
    let lines = lines.iter().map(|session| {
        format!(
            "{}|{}|{}",
            session.name, session.connection_string, session.info.is_server
        )
    });
    Ok(lines.collect::<Vec<_>>().join(" "))
}

/// For each session the remote actors that it supervises.
pub async fn children(server: &ActorRef<NodeServerMessage>) -> Result<String, String> {
    let lines = sessions(server).await?;
    let lines = lines.iter().map(|session| {
        let children = session.remote_children();
        let ids: Vec<_> = children
            .iter()
            .map(|child| match child.get_name() {
                Some(name) => format!("{}={name}", child.get_id().pid()),
                None => child.get_id().pid().to_string(),
            })
            .collect();
        format!("{}|{}|{}", session.name, children.len(), ids.join(","))
    });
    Ok(lines.collect::<Vec<_>>().join(" "))
}

pub async fn wait_ready(
    server: &ActorRef<NodeServerMessage>,
    name: &str,
    patience: Duration,
) -> Result<(), String> {
    poll(patience, async || {
        for session in sessions(server).await? {
            if session.is_with(name) && session.is_ready().await {
                return Ok(Some(()));
            }
        }
        Ok(None)
    })
    .await
}

pub async fn wait_gone(
    server: &ActorRef<NodeServerMessage>,
    name: &str,
    patience: Duration,
) -> Result<(), String> {
    poll(patience, async || {
        let gone = !sessions(server)
            .await?
            .iter()
            .any(|session| session.is_with(name));
        Ok(gone.then_some(()))
    })
    .await
}

/// Stops the session actors of this peer and returns how many there were.
pub async fn disconnect(server: &ActorRef<NodeServerMessage>, name: &str) -> Result<usize, String> {
    let mut stopped = 0;
    for session in sessions(server).await? {
        if session.is_with(name) {
            session.info.actor.stop(None);
            stopped += 1;
        }
    }
    Ok(stopped)
}

/// Looks again and again until there is something, or the time is over.
pub async fn poll<T>(
    patience: Duration,
    look: impl AsyncFn() -> Result<Option<T>, String>,
) -> Result<T, String> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if Instant::now() >= deadline {
            return Err("timeout".into());
        }
        sleep(POLL_INTERVAL).await;
    }
}

async fn ask<M: Message, R: Send + 'static>(
    actor: &ActorRef<M>,
    question: impl FnOnce(RpcReplyPort<R>) -> M,
) -> Option<R> {
    match actor.call(question, Some(ANSWER_TIMEOUT)).await {
        Ok(CallResult::Success(answer)) => Some(answer),
        _ => None,
    }
}
