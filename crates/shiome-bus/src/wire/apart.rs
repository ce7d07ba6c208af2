//! The frames of a message, sorted.

use super::Frame;
use crate::Envelope;

/// Envelopes apart from all else, as nearly all is envelopes, and those are passed on in the vector that they were read into.
#[derive(Debug, Default)]
pub(crate) struct Apart {
    pub(crate) envelopes: Vec<Envelope>,
    /// Frames of other kinds, each with how many of the envelopes came before it.
    pub(crate) others: Vec<(usize, Frame)>,
}

impl Apart {
    pub(super) fn with_capacity(envelopes: usize) -> Self {
        Self {
            envelopes: Vec::with_capacity(envelopes),
            others: Vec::new(),
        }
    }

    /// Adds the next frame of the message.
    pub(super) fn push(&mut self, frame: Frame) {
        match frame {
            Frame::Envelope(envelope) => self.envelopes.push(envelope),
            other => self.others.push((self.envelopes.len(), other)),
        }
    }

    /// All frames, in order.
    pub(super) fn into_frames(self) -> Vec<Frame> {
        let mut frames = Vec::with_capacity(self.envelopes.len() + self.others.len());
        let mut others = self.others.into_iter().peekable();
        for (before, envelope) in self.envelopes.into_iter().enumerate() {
            while let Some((_, other)) = others.next_if(|(at, _)| *at <= before) {
                frames.push(other);
            }
            frames.push(Frame::Envelope(envelope));
        }
        frames.extend(others.map(|(_, other)| other));
        frames
    }
}
