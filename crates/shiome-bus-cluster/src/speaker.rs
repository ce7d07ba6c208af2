//! Speaks with one node over one session.

use std::{future::pending, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use shiome_bus::{
    BusError, Envelope,
    wire::{Batch, CloseReason, Encoding, Frame, Goodbye, Message, Presence, Refused, decode},
};
use shiome_ractor::{ChannelLink, ChannelSender};
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use crate::link::{GOODBYE_TIMEOUT, Refusal, Shared};

/// Pause before names that were taken are asked for again.
const RECONSIDER_AFTER: Duration = Duration::from_secs(1);

/// How a session with a node ended, as far as the bus is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The session is gone, or the other node has closed the channel without a word.
    Lost,
    /// One of the two has said goodbye, or broken a rule. The link has ended.
    Over,
}

/// What the other node said, beyond envelopes.
enum Said {
    GoOn,
    Goodbye,
}

/// Speaks until the session or the link is over. The link is down then, or has ended.
pub(crate) async fn run(shared: Arc<Shared>, mut channel: ChannelLink) -> End {
    let max_message = usize::try_from(channel.max_message_len()).unwrap_or(usize::MAX);
    shared.up(max_message);
    let sender = channel.sender();
    let end = tokio::select! {
        end = listen(&shared, &mut channel) => end,
        () = write(&shared, &sender) => Heard::Stopped,
        never = reconsider(&shared) => match never {},
    };
    match end {
        Heard::Lost => {
            shared.down();
            End::Lost
        }
        Heard::Goodbye => {
            // The other end waits for it, and closes the channel, which may be opened anew.
            let _ = timeout(GOODBYE_TIMEOUT, sender.send(goodbye(CloseReason::Closed))).await;
            shared.end("closed by the other node");
            while channel.recv().await.is_some() {}
            End::Over
        }
        Heard::Malformed => {
            shared.end("the other node broke the rules");
            say_goodbye(&mut channel, CloseReason::Malformed).await;
            End::Over
        }
        Heard::Stopped => {
            say_goodbye(&mut channel, CloseReason::Closed).await;
            shared.end("closed");
            End::Over
        }
    }
}

/// Speaks with a node that is to have no link.
pub(crate) async fn decline(mut channel: ChannelLink) -> End {
    say_goodbye(&mut channel, CloseReason::Unauthorized).await;
    End::Over
}

/// Why nobody listens any more.
enum Heard {
    Lost,
    Goodbye,
    Malformed,
    Stopped,
}

/// Writes what there is to say, until the link is to say goodbye.
async fn write(shared: &Shared, sender: &ChannelSender) {
    while !shared.state().stop {
        let Some(message) = shared.next_message() else {
            shared.work.notified().await;
            continue;
        };
        let mut sent = pin!(sender.send(message));
        let sent = loop {
            tokio::select! {
                sent = &mut sent => break sent,
                () = shared.work.notified() => if shared.state().stop {
                    return;
                },
            }
        };
        // Then the session is over, which the one who listens hears, too.
        if let Err(error) = sent {
            debug!(node = %shared.id, %error, "not sent");
            pending::<()>().await;
        }
    }
}

/// Says goodbye, and waits for that of the other end: what is on its way when a channel is closed is lost.
async fn say_goodbye(channel: &mut ChannelLink, reason: CloseReason) {
    let last_words = async {
        if channel.send(goodbye(reason)).await.is_err() {
            return;
        }
        while let Some(message) = channel.recv().await {
            let frames = decode(&Message::Binary(message)).unwrap_or_default();
            let ended = |frame: &Frame| matches!(frame, Frame::Goodbye(_));
            if frames.iter().any(ended) {
                return;
            }
        }
    };
    // Who does not answer has had the time to hear it.
    let _ = timeout(GOODBYE_TIMEOUT, last_words).await;
}

fn goodbye(reason: CloseReason) -> Bytes {
    let mut batch = Batch::new(Encoding::Binary);
    batch.push(&Frame::Goodbye(Goodbye::new(reason)));
    match batch.finish() {
        Message::Binary(bytes) | Message::Text(bytes) => bytes,
        _ => Bytes::new(),
    }
}

/// Asks again for names that were taken.
async fn reconsider(shared: &Shared) -> std::convert::Infallible {
    loop {
        sleep(RECONSIDER_AFTER).await;
        if let Some(inbound) = shared.inbound() {
            let mut claims = shared.claims();
            if claims.has_refused() {
                claims.reconsider(&**inbound);
            }
        }
    }
}

/// Takes in what the other node says.
async fn listen(shared: &Shared, channel: &mut ChannelLink) -> Heard {
    let Some(inbound) = shared.inbound().cloned() else {
        return Heard::Stopped;
    };
    while let Some(message) = channel.recv().await {
        let frames = match decode(&Message::Binary(message)) {
            Ok(frames) => frames,
            Err(error) => {
                warn!(node = %shared.id, %error, "malformed message of the bus");
                inbound.malformed(&BusError::serialization(error));
                return Heard::Malformed;
            }
        };
        let mut envelopes: Vec<Envelope> = Vec::new();
        for frame in frames {
            if !matches!(frame, Frame::Presence(_)) {
                shared.claims().settle(&*inbound);
            }
            match frame {
                Frame::Envelope(envelope) => envelopes.push(envelope),
                frame => {
                    deliver(shared, std::mem::take(&mut envelopes)).await;
                    if let Said::Goodbye = hear(shared, frame) {
                        return Heard::Goodbye;
                    }
                }
            }
        }
        deliver(shared, envelopes).await;
    }
    Heard::Lost
}

async fn deliver(shared: &Shared, envelopes: Vec<Envelope>) {
    if let (Some(inbound), false) = (shared.inbound(), envelopes.is_empty()) {
        shared.received(envelopes.len());
        inbound.deliver_all(envelopes).await;
    }
}

fn hear(shared: &Shared, frame: Frame) -> Said {
    match frame {
        Frame::Presence(presence) => hear_presence(shared, presence),
        Frame::Refused(refused) => hear_refused(shared, refused),
        Frame::Ping { nonce } => {
            // Who makes this node answer more than it may, and reads nothing, is not answered.
            shared.state().outbox.answer(Frame::Pong { nonce });
            shared.work.notify_one();
        }
        Frame::Pong { nonce } => shared.ponged(nonce),
        Frame::Goodbye(goodbye) => {
            debug!(node = %shared.id, reason = %goodbye.reason, detail = goodbye.detail, "goodbye");
            return Said::Goodbye;
        }
        // The session acknowledges by itself, and has been opened.
        _ => {}
    }
    Said::GoOn
}

fn hear_presence(shared: &Shared, presence: Presence) {
    let Some(inbound) = shared.inbound() else {
        return;
    };
    let refused = shared.claims().hear(presence, &**inbound);
    if refused.is_empty() {
        return;
    }
    let mut state = shared.state();
    for refusal in refused {
        match refusal {
            Refusal::Taken(peer) => state.outbox.refuse(peer, CloseReason::NameTaken),
            Refusal::TooMany(peer) => state.outbox.refuse(peer, CloseReason::Limit),
        }
    }
    drop(state);
    shared.work.notify_one();
}

fn hear_refused(shared: &Shared, refused: Refused) {
    let Some(peer) = refused.id else {
        return;
    };
    let mut state = shared.state();
    // Only what is here can have been refused.
    if state.outbox.has_local(&peer) {
        warn!(node = %shared.id, %peer, reason = %refused.reason, "a peer of this node is not known there");
        state.taken.insert(peer);
    }
}
