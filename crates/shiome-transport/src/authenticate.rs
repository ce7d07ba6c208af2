use std::{future::Future, io, time::Instant};

use bytes::BytesMut;
use shiome_handshake::{Admission, Event, Handshake, HandshakeError, Peer};
use shiome_wire::{
    Frame, MAX_UNAUTHENTICATED_FRAME_LEN,
    auth::{AuthenticationMessage, NameMessage},
    encode,
    meta::network_message::Message,
};
use tokio::{
    io::AsyncWriteExt,
    time::{sleep_until, timeout},
};
use tracing::trace;

use crate::{
    drive::LAST_WORDS_TIMEOUT,
    error::{AuthenticateError, ReadError},
    frames::FrameReader,
    link::BoxWrite,
    tls::{self, NodeNameError},
};

/// Decides what a handshake cannot know.
pub trait Gate: Send + Sync {
    /// Whether the initiator that calls itself `peer`, which is not proven, may go on.
    fn admit(&self, peer: &NameMessage) -> impl Future<Output = Admission> + Send;

    /// Whether the peer may call itself so, by what the link has [proven](crate::Link::identity) of it. Asked before anything
    /// else is: a peer that may not is sent no proof of the cookie. Default: it may.
    ///
    /// # Errors
    ///
    /// [`NodeNameError`]
    fn verify_name(&self, peer: &NameMessage) -> Result<(), NodeNameError> {
        let _ = peer;
        Ok(())
    }

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
    let mut input: Result<(), HandshakeError> = Ok(());
    loop {
        let authenticated = match input {
            Ok(()) => answer(&mut handshake, gate).await,
            Err(error) => Err(error.into()),
        };
        let written = write(&mut handshake, writer, deadline).await;
        match (authenticated, written) {
            (Ok(_), Err(AuthenticateError::Write(error))) => {
                return Err(why_not_written(reader, error).await);
            }
            (Ok(_), Err(error)) => return Err(error),
            (Ok(Some(peer)), Ok(_)) => return Ok(peer),
            // A refusal reaches a peer only if the link is not torn down under it.
            (Ok(None), Ok(_)) if handshake.is_refused() => {
                in_time(deadline, writer.shutdown()).await?;
                return Err(AuthenticateError::Refused);
            }
            (Ok(None), Ok(_)) => {}
            // What is wrong with the peer counts, also when it does not wait to hear it.
            (Err(error), written) => {
                let is_liar = matches!(error, AuthenticateError::NodeName { .. });
                let spoke = matches!(written, Ok(true));
                if let (false, Err(late @ AuthenticateError::Handshake(_))) = (is_liar, written) {
                    return Err(late);
                }
                if is_liar || spoke {
                    let _ = in_time(deadline, writer.shutdown()).await;
                }
                return Err(error);
            }
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
) -> Result<Option<Peer>, AuthenticateError> {
    while let Some(event) = handshake.poll_event() {
        match event {
            Event::NameReceived(name) => {
                if let Err(error) = gate.verify_name(&name) {
                    handshake.admit(Admission::NotAllowed)?;
                    return Err(not_allowed(name, error));
                }
                let admission = gate.admit(&name).await;
                handshake.admit(admission)?;
            }
            Event::PeerNamed(name) => {
                if let Err(error) = gate.verify_name(&name) {
                    // The proof of the cookie is not for who has lied.
                    while handshake.poll_transmit().is_some() {}
                    return Err(not_allowed(name, error));
                }
                gate.named(&name).await;
            }
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

fn not_allowed(peer: NameMessage, error: NodeNameError) -> AuthenticateError {
    AuthenticateError::NodeName {
        name: peer.name,
        error,
    }
}

/// The peer may have said why it takes nothing: with TLS 1.3 a server refuses a certificate when the client has begun to
/// speak.
async fn why_not_written(reader: &mut FrameReader, error: io::Error) -> AuthenticateError {
    let told = async {
        loop {
            match reader.next().await {
                Ok(Some(_)) => {}
                Err(ReadError::Io(told)) if tls::refusal(&told).is_some() => return Some(told),
                _ => return None,
            }
        }
    };
    match timeout(LAST_WORDS_TIMEOUT, told).await {
        Ok(Some(told)) => ReadError::Io(told).into(),
        _ => AuthenticateError::Write(error),
    }
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
