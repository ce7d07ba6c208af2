use ractor::ActorCell;
use tokio::task::AbortHandle;

use super::RemoteRef;

/// A local and a remote actor that end together.
///
/// From [`RemoteRef::link`]. Dropping it leaves the two linked.
#[derive(Debug)]
pub struct ActorLink(AbortHandle);

impl ActorLink {
    pub(super) fn tie(remote: RemoteRef<()>, local: ActorCell) -> Self {
        let monitor = remote.monitor();
        let task = tokio::spawn(async move {
            tokio::select! {
                down = monitor => {
                    let (node, pid) = (remote.node(), remote.pid());
                    local.stop(Some(format!("linked actor {pid} of {node}: {down}")));
                }
                _ = local.wait(None) => {
                    // A node that does not stop actors for others lets them live.
                    let _ = remote.stop(Some("a linked actor has ended".to_owned()));
                }
            }
        });
        Self(task.abort_handle())
    }

    /// Lets each of the two live on when the other ends.
    pub fn unlink(self) {
        self.0.abort();
    }
}
