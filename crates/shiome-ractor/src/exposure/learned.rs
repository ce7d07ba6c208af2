//! Types of messages that have made themselves known.

use std::{
    any::TypeId,
    sync::{PoisonError, RwLock},
};

use ractor::{ActorCell, Message};

use super::decoder::{Decoder, decode_as};

/// All of the process: as many as the program has types.
static LEARNED: RwLock<Vec<Learned>> = RwLock::new(Vec::new());

struct Learned {
    id: TypeId,
    takes: fn(&ActorCell) -> bool,
    decode: Decoder,
}

/// From now on messages to actors that take `M` can be decoded before they are in the mailbox.
pub(crate) fn learn<M: Message>() {
    let id = TypeId::of::<M>();
    let mut learned = LEARNED.write().unwrap_or_else(PoisonError::into_inner);
    if learned.iter().all(|known| known.id != id) {
        learned.push(Learned {
            id,
            takes: |actor| actor.is_message_type_of::<M>() == Some(true),
            decode: decode_as::<M>,
        });
    }
}

/// How to decode what the actor takes, if that is known.
pub(super) fn decoder_of(actor: &ActorCell) -> Option<Decoder> {
    let learned = LEARNED.read().unwrap_or_else(PoisonError::into_inner);
    let known = learned.iter().find(|known| (known.takes)(actor));
    known.map(|known| known.decode)
}
