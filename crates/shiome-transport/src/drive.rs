use std::{
    future::{Future, pending},
    io,
    sync::Arc,
    time::Duration,
};

use shiome_session::{Event, SessionError};
use shiome_wire::Frame;
use thiserror::Error;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use crate::{error::ReadError, frames::FrameReader, link::BoxWrite, peer::Peer};

/// Time for the peer to close its end after this one was closed in good order.
const LINGER: Duration = Duration::from_millis(500);

/// Acts on what a session decides, in order.
pub trait EventSink<C>: Send {
    /// Acts on one event. The link is not read meanwhile.
    fn handle(&mut self, event: Event<C>) -> impl Future<Output = ()> + Send;
}

/// Why a driven link ended.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LinkEnd {
    /// This side closed it, by [`Peer::close`].
    #[error("closed by this node")]
    Closed,
    /// The peer closed it.
    #[error("closed by the peer")]
    ClosedByPeer,
    /// The peer has said nothing for as long as
    /// [`Config::pong_timeout`](shiome_session::Config::pong_timeout), pings or not.
    #[error("no sign of life for {silence:?}")]
    Unresponsive {
        /// Time since the peer's last message.
        silence: Duration,
    },
    /// The peer does not read what it makes this node say, see [`MAX_CONTROL_BACKLOG`](crate::MAX_CONTROL_BACKLOG).
    #[error("the peer does not read")]
    NotReading,
    /// The peer broke a limit of the session.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// What came could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What was to be sent could not be written.
    #[error("write failed")]
    Write(#[source] io::Error),
}

/// Runs the session of an authenticated link until it ends: reads frames, writes the outbox, keeps the timers, and
/// gives the session's events to `sink`. When it returns the session is closed and `sink` has had all its events.
///
/// Dropping the future closes the link without ceremony.
pub async fn drive<C: Send + 'static>(
    reader: &mut FrameReader,
    writer: BoxWrite,
    peer: &Arc<Peer<C>>,
    sink: &mut impl EventSink<C>,
) -> LinkEnd {
    let mut tasks = JoinSet::new();
    tasks.spawn({
        let peer = Arc::clone(peer);
        let mut writer = writer;
        async move { peer.outbox.write_to(&mut writer).await }
    });
    let end = run(reader, &mut tasks, peer, sink).await;
    peer.close();
    let _ = deliver(peer, sink).await;
    if matches!(end, LinkEnd::Closed) {
        let _ = timeout(LINGER, linger(reader)).await;
    }
    end
}

/// Reads what still comes: closing a socket with unread bytes resets it, and then the peer may lose what was just sent.
async fn linger(reader: &mut FrameReader) {
    while let Ok(Some(_)) = reader.next().await {}
}

async fn run<C>(
    reader: &mut FrameReader,
    writer: &mut JoinSet<io::Result<()>>,
    peer: &Peer<C>,
    sink: &mut impl EventSink<C>,
) -> LinkEnd {
    loop {
        if let Err(end) = deliver(peer, sink).await {
            return end;
        }
        let due = peer.next_timeout();
        tokio::select! {
            frame = reader.next() => match frame {
                Ok(Some(frame)) => {
                    if let Err(end) = receive_all(frame, reader, peer) {
                        return end;
                    }
                }
                Ok(None) => return LinkEnd::ClosedByPeer,
                Err(error) => return error.into(),
            },
            written = writer.join_next() => return match written {
                Some(Ok(Err(error))) => LinkEnd::Write(error),
                _ => LinkEnd::Closed,
            },
            () = peer.attention.notified() => {}
            () = until(due) => peer.apply(|session, now| session.handle_timeout(now)),
        }
    }
}

/// Takes in a frame and those that arrived with it.
fn receive_all<C>(frame: Frame, reader: &mut FrameReader, peer: &Peer<C>) -> Result<(), LinkEnd> {
    let mut next = Some(frame);
    while let Some(frame) = next {
        let message = frame.decode().map_err(ReadError::from)?;
        peer.receive(message)?;
        next = reader.buffered()?;
    }
    Ok(())
}

async fn deliver<C>(peer: &Peer<C>, sink: &mut impl EventSink<C>) -> Result<(), LinkEnd> {
    while let Some(event) = peer.next_event() {
        match event {
            Event::Unresponsive { silence } => return Err(LinkEnd::Unresponsive { silence }),
            event => sink.handle(event).await,
        }
    }
    if peer.has_overflowed() {
        return Err(LinkEnd::NotReading);
    }
    Ok(())
}

async fn until(due: Option<std::time::Instant>) {
    match due {
        Some(due) => sleep_until(Instant::from_std(due)).await,
        None => pending().await,
    }
}
