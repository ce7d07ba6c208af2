//! The same messages, as fast as the victim takes them.

use shiome_wire::meta::NetworkMessage;
use tokio::time::timeout;

use super::{
    Arena, Tally,
    raw::{Writer, frames},
};

/// Bytes written at a time, about.
const BATCH_LEN: usize = 64 * 1024;

/// Sends the messages one after the other and again, up to `most` of them, until the attack is over, or the victim closes
/// or takes no more.
pub(crate) async fn spray(
    arena: &Arena,
    writer: &mut Writer,
    messages: &[NetworkMessage],
    most: u64,
) -> Tally {
    let mut tally = Tally::default();
    let once = frames(messages);
    let times = (BATCH_LEN / once.len()).max(1);
    let batch = once.repeat(times);
    let each = (messages.len() * times) as u64;
    while tally.attempts < most && !arena.is_over(&tally) {
        match timeout(arena.left_for(&tally), writer.bytes(&batch)).await {
            Ok(Ok(())) => tally.attempts += each,
            _ => break,
        }
    }
    tally
}
