use std::panic::{AssertUnwindSafe, catch_unwind};

use ractor::{ActorCell, Message, message::SerializedMessage};

/// Makes a typed message of a serialized one; `None` when it is none.
pub(super) type Decoder = fn(SerializedMessage) -> Option<Deliver>;

/// Sends a typed message. One that cannot be sent comes back, to be dropped where user code may run.
pub(super) type Deliver = Box<dyn FnOnce(&ActorCell) -> Result<(), Box<dyn Send>>>;

/// Decodes messages of type `M`. It is user code: a panic in it only says that the bytes are no message.
pub(super) fn decode_as<M: Message>(message: SerializedMessage) -> Option<Deliver> {
    let decoded = catch_unwind(AssertUnwindSafe(|| M::deserialize(message)));
    let message = decoded.ok()?.ok()?;
    Some(Box::new(move |actor| {
        let sent = actor.send_message(message);
        sent.map_err(|error| Box::new(error) as Box<dyn Send>)
    }))
}
