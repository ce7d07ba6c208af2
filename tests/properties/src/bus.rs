use bytes::Bytes;
use shiome_bus::{
    websocket::script::script,
    wire::{Batch, Encoding, Frame, MAX_FRAMES, MAX_PRESENCE, Message, decode},
};

use crate::memory::{PER_BYTE_OF_MESSAGE, within};

/// Memory for what a message has beside its frames, in bytes.
const SPARE: usize = 4 * 1024;

/// Any text that comes over a link of the bus: frames that survive being written again, in memory that the length of the text
/// allows; or an error.
pub fn bus_json(text: &[u8]) {
    let message = Message::Text(Bytes::copy_from_slice(text));
    if let Some(frames) = read(&message) {
        survive(&frames, Encoding::Json);
    }
}

/// The same of any bytes in the binary form, whose frames survive in either.
pub fn bus_binary(bytes: &[u8]) {
    let message = Message::Binary(Bytes::copy_from_slice(bytes));
    if let Some(frames) = read(&message) {
        survive(&frames, Encoding::Binary);
        survive(&frames, Encoding::Json);
    }
}

fn read(message: &Message) -> Option<Vec<Frame>> {
    let memory = PER_BYTE_OF_MESSAGE * message.as_bytes().len() + SPARE;
    let frames = within(memory, || decode(message)).ok()?;
    assert!(frames.len() <= MAX_FRAMES);
    for frame in &frames {
        if let Frame::Presence(presence) = frame {
            assert!(presence.present.len() + presence.absent.len() <= MAX_PRESENCE);
        }
    }
    Some(frames)
}

fn survive(frames: &[Frame], encoding: Encoding) {
    let mut batch = Batch::new(encoding);
    frames.iter().for_each(|frame| batch.push(frame));
    assert_eq!(decode(&batch.finish()).as_deref(), Ok(frames));
}

/// Any course of a link between a client and a server, see [`script`].
pub fn bus_link_script(input: &[u8]) {
    script(&input[..input.len().min(MAX_SCRIPT_LEN)]);
}

/// Bytes of a script: longer ones take long, and show nothing else.
const MAX_SCRIPT_LEN: usize = 2048;
