//! What the node server answers and accepts about its sessions.

use ractor::ActorId;
use ractor_cluster::NodeServerMessage;

use crate::cluster::{Cluster, ask, is_ready};
use crate::report::{Checked, Report};

use super::send;

/// A pid that no actor has.
const NOBODY: ActorId = ActorId::Local(u64::MAX);

pub async fn as_acceptor(report: &mut Report, cluster: &Cluster) -> Checked {
    check(report, cluster, "DuplicateConnection").await?;
    nobody(report, cluster).await
}

/// The name of the peer sorts after ours, so that its connection would win.
pub async fn as_initiator(report: &mut Report, cluster: &Cluster) -> Checked {
    check(report, cluster, "OtherConnectionContinues").await?;
    nobody(report, cluster).await?;
    rename(report, cluster).await
}

/// Asks about a connection that is not known to the server.
pub async fn check(report: &mut Report, cluster: &Cluster, known: &str) -> Checked {
    let session = cluster.session().await?;
    let peer = session.peer_name.ok_or("a session without a name")?;
    let mut stranger = peer.clone();
    stranger.name = "stranger@localhost".into();
    for (peer_name, expected) in [(peer, known), (stranger, "NoOtherConnection")] {
        let check = |reply| NodeServerMessage::CheckSession { peer_name, reply };
        let reply = ask(&cluster.server, check).await?;
        report.same("check", format!("{reply:?}"), expected.into())?;
    }
    Ok(())
}

/// News of sessions that do not exist change nothing.
async fn nobody(report: &mut Report, cluster: &Cluster) -> Checked {
    let session = cluster.session().await?;
    let name = session
        .peer_name
        .clone()
        .ok_or("a session without a name")?;
    send(cluster, NodeServerMessage::ConnectionAuthenticated(NOBODY))?;
    send(cluster, NodeServerMessage::ConnectionReady(NOBODY))?;
    send(
        cluster,
        NodeServerMessage::UpdateSession {
            actor_id: NOBODY,
            name,
        },
    )?;
    let after = cluster.session().await?;
    report.holds(
        "nobody's news",
        after.actor.get_id() == session.actor.get_id(),
    )?;
    report.holds("session lives", is_ready(&after.actor).await?)
}

/// A session goes by the name that it was given last.
async fn rename(report: &mut Report, cluster: &Cluster) -> Checked {
    let session = cluster.session().await?;
    let actor_id = session.actor.get_id();
    let original = session.peer_name.ok_or("a session without a name")?;
    let mut name = original.clone();
    name.connection_string = "elsewhere:1".into();
    send(cluster, NodeServerMessage::UpdateSession { actor_id, name })?;
    let renamed = cluster
        .session()
        .await?
        .peer_name
        .map(|peer| peer.connection_string);
    report.same("renamed", renamed, Some("elsewhere:1".into()))?;
    send(
        cluster,
        NodeServerMessage::UpdateSession {
            actor_id,
            name: original,
        },
    )
}
