//! One direction of a connection: what of it are frames.

use std::io::{self, Write};

use super::{
    packet::Segment,
    stream::{Piece, Stream},
};
use crate::decode::{
    frames::{self, Frames},
    output::{Output, Source},
};

/// Most bytes in which the start of a frame is looked for at a time. Frames that are longer are not found.
const MAX_SOUGHT: usize = 256 * 1024;

/// What is known of a direction of a connection.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    stream: Stream,
    reading: Reading,
}

#[derive(Debug, Default)]
enum Reading {
    /// Nothing has come yet.
    #[default]
    Start,
    Frames(Frames),
    /// A frame starts somewhere, after bytes that were not captured.
    Seeking(Seeking),
    /// It is not of shiome, or cannot be read. That has been told.
    Foreign,
}

/// Bytes of which the first are inside of a frame.
#[derive(Debug)]
struct Seeking {
    /// Where `bytes` start in the stream.
    offset: u64,
    bytes: Vec<u8>,
    /// How many bytes before them no frame started in.
    skipped: u64,
}

impl Conversation {
    /// Whether this segment opens the connection that is followed, and no other.
    pub(super) fn is_opened_by(&self, segment: &Segment<'_>) -> bool {
        self.stream.is_opened_by(segment)
    }

    /// Tells the frames that a segment ends.
    pub(super) fn segment<W: Write>(
        &mut self,
        segment: &Segment<'_>,
        source: &Source,
        output: &mut Output<W>,
    ) -> io::Result<()> {
        let mut position = self.stream.position();
        for piece in self.stream.segment(segment) {
            position = self.piece(piece, position, source, output)?;
        }
        Ok(())
    }

    /// Tells what is left.
    pub(super) fn finish<W: Write>(
        mut self,
        source: &Source,
        output: &mut Output<W>,
    ) -> io::Result<()> {
        let mut position = self.stream.position();
        for piece in self.stream.finish() {
            position = self.piece(piece, position, source, output)?;
        }
        match self.reading {
            Reading::Frames(frames) if frames.waiting() > 0 => {
                let (len, offset) = (frames.waiting(), frames.offset());
                let note = format!("the capture ends {len} bytes into the frame at byte {offset}");
                output.note(&note, Some(source))
            }
            Reading::Seeking(seeking) => {
                let len = seeking.skipped + seeking.bytes.len() as u64;
                let note = format!("no frame was found in the last {len} bytes");
                output.note(&note, Some(source))
            }
            _ => Ok(()),
        }
    }

    /// Takes what stands at `position`; where the next piece stands.
    fn piece<W: Write>(
        &mut self,
        piece: Piece,
        position: u64,
        source: &Source,
        output: &mut Output<W>,
    ) -> io::Result<u64> {
        match piece {
            Piece::Gap(len) => {
                self.gap(position, len, source, output)?;
                Ok(position + len)
            }
            Piece::Bytes(bytes) => {
                self.bytes(&bytes, source, output)?;
                Ok(position + bytes.len() as u64)
            }
        }
    }

    fn gap<W: Write>(
        &mut self,
        position: u64,
        len: u64,
        source: &Source,
        output: &mut Output<W>,
    ) -> io::Result<()> {
        if matches!(self.reading, Reading::Foreign) {
            return Ok(());
        }
        let mut note = format!("{len} bytes at byte {position} were not captured");
        if let Reading::Frames(frames) = &self.reading
            && frames.waiting() > 0
        {
            note += &format!(", inside the frame at byte {}", frames.offset());
        }
        output.note(&note, Some(source))?;
        self.reading = Reading::Seeking(Seeking::at(position + len));
        Ok(())
    }

    fn bytes<W: Write>(
        &mut self,
        bytes: &[u8],
        source: &Source,
        output: &mut Output<W>,
    ) -> io::Result<()> {
        if matches!(self.reading, Reading::Start) {
            self.reading = self.begin(bytes, source, output)?;
        }
        if let Reading::Seeking(seeking) = &mut self.reading {
            let Some(frames) = seeking.seek(bytes) else {
                return Ok(());
            };
            let note = format!("frames are read from byte {}", frames.offset());
            output.note(&note, Some(source))?;
            self.reading = Reading::Frames(frames);
        } else if let Reading::Frames(frames) = &mut self.reading {
            frames.extend(bytes);
        }
        let Reading::Frames(frames) = &mut self.reading else {
            return Ok(());
        };
        while let Some(frame) = frames.next_frame() {
            output.explained(&frame, Some(source))?;
        }
        if frames.is_lost() {
            self.reading = Reading::Foreign;
        }
        Ok(())
    }

    /// Decides by the first bytes what this is.
    fn begin<W: Write>(
        &self,
        bytes: &[u8],
        source: &Source,
        output: &mut Output<W>,
    ) -> io::Result<Reading> {
        if !self.stream.is_from_start() {
            let note = "the capture begins inside this connection";
            output.note(note, Some(source))?;
            return Ok(Reading::Seeking(Seeking::at(0)));
        }
        let Some(foreign) = foreign(bytes) else {
            return Ok(Reading::Frames(Frames::at(0)));
        };
        output.note(foreign, Some(source))?;
        Ok(Reading::Foreign)
    }
}

/// What a connection is that does not start with a frame.
fn foreign(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0, ..] => None,
        [0x16, 3, ..] => Some("encrypted by TLS, which cannot be read"),
        [b'G', b'E', b'T', b' ', ..] | [b'H', b'T', b'T', b'P', ..] => {
            Some("HTTP; if it becomes a WebSocket, that is not read")
        }
        [b's', b'h', b'i', b'o', b'm', b'e', ..] | [0x81, ..] => {
            Some("a ping of gossip over TCP, which is not explained")
        }
        _ => Some("no frames: the first byte is not 0"),
    }
}

impl Seeking {
    fn at(offset: u64) -> Self {
        Self {
            offset,
            bytes: Vec::new(),
            skipped: 0,
        }
    }

    /// The frames from where a whole one starts, if there is one.
    fn seek(&mut self, bytes: &[u8]) -> Option<Frames> {
        self.bytes.extend_from_slice(bytes);
        let start = (0..self.bytes.len()).find(|at| {
            let rest = self.bytes.get(*at..).unwrap_or_default();
            frames::starts_with_frame(rest)
        });
        match start {
            Some(start) => {
                let offset = usize::try_from(self.offset).ok()?;
                let mut frames = Frames::at(offset + start);
                frames.extend(self.bytes.get(start..).unwrap_or_default());
                Some(frames)
            }
            None => {
                // The longest frame that is found may start in what is kept.
                let old = self.bytes.len().saturating_sub(MAX_SOUGHT);
                self.bytes.drain(..old);
                self.offset += old as u64;
                self.skipped += old as u64;
                None
            }
        }
    }
}
