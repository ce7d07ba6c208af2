//! Casts to remote actors.

use ractor::{ActorCell, ActorRef, Message as RactorMessage};

use crate::actor::{Message, Note, Stranger, digest};
use crate::calls::refusal;

pub fn text(to: ActorCell, text: &str) -> Result<String, String> {
    send(to, Message::Text(text.into()))
}

pub fn note(to: ActorCell, label: &str) -> Result<String, String> {
    send(
        to,
        Message::Note(Note {
            id: u64::MAX,
            label: label.into(),
        }),
    )
}

pub fn plain(to: ActorCell, text: &str) -> Result<String, String> {
    send(to, text.to_owned())
}

pub fn unknown(to: ActorCell, text: &str) -> Result<String, String> {
    send(to, Stranger::Shout(text.into()))
}

/// Sends the numbers from zero on.
pub fn numbered(to: ActorCell, count: u64) -> Result<String, String> {
    for number in 0..count {
        send(to.clone(), Message::Numbered(number))?;
    }
    Ok(String::new())
}

/// Sends one large payload and returns the digest that the receiver reports.
pub fn big(to: ActorCell, len: usize) -> Result<String, String> {
    let bytes = payload(len);
    let digest = digest(&bytes);
    send(to, Message::Bytes(bytes))?;
    Ok(digest)
}

pub fn payload(len: usize) -> Vec<u8> {
    (0..=u8::MAX).cycle().take(len).collect()
}

fn send<M: RactorMessage>(to: ActorCell, message: M) -> Result<String, String> {
    let sent = ActorRef::<M>::from(to).cast(message);
    sent.map(|()| String::new())
        .map_err(|error| refusal(&error))
}
