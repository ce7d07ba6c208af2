use std::{sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{Context, Kind, Message, PingError};
use crate::stats::Counters;

/// Most connections that are answered at a time; others wait to be accepted. A member is asked by few others at a time,
/// and only while datagrams do not reach it.
pub(super) const MAX_CONNECTIONS: usize = 64;

/// How long a connection may take. A question is one segment and follows on the connection at once.
const DEADLINE: Duration = Duration::from_secs(2);

/// Pause after the operating system refused to accept, which is for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Answers those who ask whether this node is there.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) listener: TcpListener,
    pub(crate) context: Context,
    pub(crate) counters: Arc<Counters>,
}

impl Listener {
    /// Runs until it is dropped.
    pub(crate) async fn run(self) {
        let mut open = JoinSet::new();
        loop {
            tokio::select! {
                Some(_) = open.join_next() => {}
                accepted = self.listener.accept(), if open.len() < MAX_CONNECTIONS => match accepted {
                    Ok((stream, _)) => {
                        let (context, counters) = (self.context.clone(), Arc::clone(&self.counters));
                        open.spawn(serve(stream, context, counters));
                    }
                    Err(_) => sleep(ACCEPT_PAUSE).await,
                },
            }
        }
    }
}

async fn serve(mut stream: TcpStream, context: Context, counters: Arc<Counters>) {
    match timeout(DEADLINE, answer(&mut stream, &context)).await {
        Ok(Ok(())) => counters.reliable_pings_answered.increment(),
        Ok(Err(_)) | Err(_) => counters.reliable_pings_refused.increment(),
    }
}

async fn answer(stream: &mut TcpStream, context: &Context) -> Result<(), PingError> {
    stream.set_nodelay(true)?;
    let question = context.read(stream, Kind::Question).await?;
    if question.node != context.me {
        return Err(PingError::Unexpected);
    }
    let answer = Message {
        kind: Kind::Answer,
        ..question
    };
    context.write(stream, &answer).await
}
