//! Messages of the bus: `{"bus", "encoding", "message", "frames"}`. `bus` is the version of the protocol. `message` is the text
//! of a JSON message, or the bytes of a binary one in hex. `frames` is the text that its frames are written as, `null` if it
//! is malformed.

use serde::Deserialize;
use serde_json::Value;
use shiome_bus::wire::{Batch, Encoding, Frame, Message, VERSION, WireError, decode};

use super::{FileReport, Format, unhex};

pub(super) const FORMAT: Format = Format {
    name: "bus messages",
    required: &["bus", "encoding", "message", "frames"],
    optional: &["name", "skipped"],
    check,
};

#[derive(Deserialize)]
struct Entry {
    name: String,
    bus: u64,
    encoding: String,
    message: String,
    frames: Option<String>,
    /// Frames in it are of a type that is not known, so that it is not written like that.
    #[serde(default)]
    skipped: bool,
}

fn check(entries: &[Value], report: &mut FileReport) {
    report.each(entries, |entry: &Entry| entry.name.clone(), Entry::check);
}

impl Entry {
    fn check(&self) -> Result<(), String> {
        if self.bus != VERSION {
            return Err(format!("version {} of the protocol", self.bus));
        }
        let (encoding, message) = self.message()?;
        match (decode(&message), &self.frames) {
            (Err(_), None) => Ok(()),
            (Err(error), Some(_)) => Err(format!("does not decode: {error}")),
            (Ok(_), None) => Err("decodes".to_owned()),
            (Ok(frames), Some(text)) => self.same_frames(encoding, &message, &frames, text),
        }
    }

    fn same_frames(
        &self,
        encoding: Encoding,
        message: &Message,
        frames: &[Frame],
        text: &str,
    ) -> Result<(), String> {
        let written = write(Encoding::Json, frames);
        if written.as_text() != Some(text) {
            return Err(format!("frames: {}", written.as_text().unwrap_or_default()));
        }
        let again = decode(&written).map_err(|error: WireError| format!("frames: {error}"))?;
        if again != frames {
            return Err("frames: decode to something else".to_owned());
        }
        if encoding == Encoding::Binary && !self.skipped && write(encoding, frames) != *message {
            let written = hex::encode(write(encoding, frames).as_bytes());
            return Err(format!("written as {written}"));
        }
        Ok(())
    }

    fn message(&self) -> Result<(Encoding, Message), String> {
        match self.encoding.as_str() {
            "json" => {
                let text = self.message.clone().into_bytes();
                Ok((Encoding::Json, Message::Text(text.into())))
            }
            "binary" => {
                let bytes = unhex("message", &self.message.replace(' ', ""))?;
                Ok((Encoding::Binary, Message::Binary(bytes.into())))
            }
            other => Err(format!("no encoding {other}")),
        }
    }
}

fn write(encoding: Encoding, frames: &[Frame]) -> Message {
    let mut batch = Batch::new(encoding);
    for frame in frames {
        batch.push(frame);
    }
    batch.finish()
}
