use std::{sync::Arc, time::Duration};

use ractor::ActorRef;
use shiome_transport::{Accepted, Listener};
use tokio::{task::JoinSet, time::sleep};
use tracing::warn;

use super::{
    NodeServerMessage,
    opened::Opened,
    strangers::{Stranger, Strangers},
};

/// Pause after a failed accept. The usual cause, too many open files, does not go away faster.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Accepts connections and hands them to the node server, until it is dropped.
pub(super) async fn run(
    mut listener: Box<dyn Listener>,
    strangers: Arc<Strangers>,
    server: ActorRef<NodeServerMessage>,
) {
    // As many as there are strangers. They end with the listener.
    let mut establishing = JoinSet::new();
    let mut fails = false;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = establishing.join_next() => continue,
        };
        match accepted {
            Ok(accepted) => {
                fails = false;
                // Before the first byte is read.
                if let Some(stranger) = strangers.admit(accepted.remote().clone()) {
                    establishing.spawn(establish(accepted, stranger, server.clone()));
                }
            }
            Err(error) => {
                if !fails {
                    warn!(address = %listener.local(), %error, "accept failed, trying again");
                }
                fails = true;
                sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

/// In a task of its own: a silent client holds up nobody.
async fn establish(accepted: Accepted, stranger: Stranger, server: ActorRef<NodeServerMessage>) {
    match accepted.establish().await {
        Ok(link) => {
            // Fails only when the server is gone, and then this task is about to be.
            let _ = server.cast(Opened::accepted(link, stranger).into_message(true));
        }
        Err(error) => stranger.not_established(&error),
    }
}
