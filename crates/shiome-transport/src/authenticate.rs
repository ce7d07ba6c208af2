use std::{future::Future, io, time::Instant};

use bytes::BytesMut;
use shiome_handshake::{Admission, Event, Handshake, HandshakeError, Peer};
use shiome_wire::{
    Frame, MAX_UNAUTHENTICATED_FRAME_LEN,
    auth::{AuthenticationMessage, NameMessage},
    encode,
    meta::network_message::Message,
};
use tokio::{io::AsyncWriteExt, time::sleep_until};
use tracing::trace;

use crate::{
    error::{AuthenticateError, ReadError},
    frames::FrameReader,
    link::BoxWrite,
};

/// Decides what a handshake cannot know.
pub trait Gate: Send + Sync {
    /// Whether the initiator that calls itself `peer`, which is not proven, may go on.
    fn admit(&self, peer: &NameMessage) -> impl Future<Output = Admission> + Send;

    /// The acceptor calls itself `peer`, which is not proven.
    fn named(&self, peer: &NameMessage) -> impl Future<Output = ()> + Send;

    /// Whether `message` asks this node to answer a challenge that it has issued itself, on any connection. See
    /// [`OutstandingChallenges`](shiome_handshake::OutstandingChallenges).
    fn is_reflected(&self, message: &AuthenticationMessage) -> bool;

    /// Whether to go on although the acceptor has a connection to a node of this name.
    fn replace(&self) -> impl Future<Output = bool> + Send;
}

/// Runs a handshake on a link, within the handshake's own deadline and with the small frame limit that holds before
/// authentication. The caller raises the limit afterwards.
///
/// # Errors
///
/// [`AuthenticateError`]; the caller closes the link. What the handshake had to say, such as a refusal, is written.
pub async fn authenticate(
    reader: &mut FrameReader,
    writer: &mut BoxWrite,
    mut handshake: Handshake,
    gate: &impl Gate,
) -> Result<Peer, AuthenticateError> {
    reader.set_max_frame_len(MAX_UNAUTHENTICATED_FRAME_LEN);
    // Holds for the last words, too, when the handshake itself is over.
    let deadline = handshake.poll_timeout();
    let mut input = Ok(());
    loop {
        let authenticated = match input {
            Ok(()) => answer(&mut handshake, gate).await,
            Err(error) => Err(error),
        };
        let spoke = write(&mut handshake, writer, deadline).await?;
        // A refusal reaches a peer only if the link is not torn down under it.
        if handshake.is_refused() || (authenticated.is_err() && spoke) {
            in_time(deadline, writer.shutdown()).await?;
        }
        if let Some(peer) = authenticated? {
            return Ok(peer);
        }
        if handshake.is_refused() {
            return Err(AuthenticateError::Refused);
        }
        input = tokio::select! {
            frame = reader.next() => {
                let frame = frame?.ok_or(AuthenticateError::Closed)?;
                receive(&mut handshake, frame, gate)?
            }
            () = until(deadline) => handshake.handle_timeout(now()),
        };
    }
}

/// Asks the gate what the handshake wants to know; the peer, once the handshake is over.
async fn answer(
    handshake: &mut Handshake,
    gate: &impl Gate,
) -> Result<Option<Peer>, HandshakeError> {
    while let Some(event) = handshake.poll_event() {
        match event {
            Event::NameReceived(name) => {
                let admission = gate.admit(&name).await;
                handshake.admit(admission)?;
            }
            Event::PeerNamed(name) => gate.named(&name).await,
            Event::PeerAlive => {
                let go_on = gate.replace().await;
                handshake.answer_alive(go_on)?;
            }
            Event::Authenticated(peer) => return Ok(Some(peer)),
            // The rest is news for the curious.
            _ => {}
        }
    }
    Ok(None)
}

/// The outer error is the link's; the inner one the handshake's, which may have something to say before it ends.
fn receive(
    handshake: &mut Handshake,
    frame: Frame,
    gate: &impl Gate,
) -> Result<Result<(), HandshakeError>, ReadError> {
    let message = frame.decode()?;
    trace!(kind = message.kind(), "received before authentication");
    match &message.message {
        Some(Message::Auth(auth)) if gate.is_reflected(auth) => Ok(Err(HandshakeError::Reflected)),
        _ => Ok(handshake.handle_message(now(), message)),
    }
}

/// Writes what the handshake has to say; whether it had anything.
async fn write(
    handshake: &mut Handshake,
    writer: &mut BoxWrite,
    deadline: Option<Instant>,
) -> Result<bool, AuthenticateError> {
    let mut buf = BytesMut::new();
    while let Some(message) = handshake.poll_transmit() {
        encode(&message, u64::MAX, &mut buf).expect("no message is longer than u64::MAX");
    }
    if buf.is_empty() {
        return Ok(false);
    }
    let written = async {
        writer.write_all(&buf).await?;
        writer.flush().await
    };
    in_time(deadline, written).await?;
    Ok(true)
}

async fn in_time(
    deadline: Option<Instant>,
    written: impl Future<Output = io::Result<()>>,
) -> Result<(), AuthenticateError> {
    tokio::select! {
        biased;
        result = written => result.map_err(AuthenticateError::Write),
        () = until(deadline) => Err(HandshakeError::Deadline.into()),
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// The runtime's clock, which tests can pause.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
