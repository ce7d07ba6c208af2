//! The two channels of a connection.

use std::collections::VecDeque;

use shiome_bus::wire::{Frame, Message, decode};
use str0m::{
    Rtc,
    channel::{ChannelConfig, ChannelData, ChannelId, Reliability},
};

use crate::{
    Failure,
    chunk::{Joiner, WHOLE_LEN, split, stream_bytes},
    signal::Purpose,
};

/// Label of the channel that keeps all in order.
pub(crate) const MAIN: &str = "shiome";

/// Label of the channel that loses and reorders rather than wait.
pub(crate) const LOOSE: &str = "shiome-loose";

/// Both, as who offers opens them.
pub(super) fn configs() -> [ChannelConfig; 2] {
    let main = ChannelConfig {
        label: MAIN.to_owned(),
        ..ChannelConfig::default()
    };
    let loose = ChannelConfig {
        label: LOOSE.to_owned(),
        ordered: false,
        reliability: Reliability::MaxRetransmits { retransmits: 0 },
        ..ChannelConfig::default()
    };
    [main, loose]
}

/// What came over a channel.
#[derive(Debug)]
pub(super) enum Read {
    /// More is to come.
    Part,
    /// It is of neither channel.
    Strange,
    /// The frames of a message, its length, and whether it kept all in order.
    Frames(Vec<Frame>, usize, bool),
    /// Bytes of the stream.
    Bytes(Vec<u8>),
}

/// The two channels.
#[derive(Debug)]
pub(super) struct Channels {
    purpose: Purpose,
    main: Option<ChannelId>,
    loose: Option<ChannelId>,
    open: [bool; 2],
    joiner: Joiner,
    max_message: usize,
    /// Pieces for the main channel.
    unwritten: VecDeque<Vec<u8>>,
}

impl Channels {
    pub(super) fn new(purpose: Purpose, max_message: usize) -> Self {
        Self {
            purpose,
            main: None,
            loose: None,
            open: [false; 2],
            joiner: Joiner::new(max_message),
            max_message,
            unwritten: VecDeque::new(),
        }
    }

    /// Those that this end opens.
    pub(super) fn expect(&mut self, [main, loose]: [ChannelId; 2]) {
        (self.main, self.loose) = (Some(main), Some(loose));
    }

    /// A channel is open. Whether it is one of the two.
    pub(super) fn opened(&mut self, id: ChannelId, label: &str) -> bool {
        match label {
            MAIN if self.main.is_none_or(|main| main == id) => {
                self.main = Some(id);
                self.open[0] = true;
            }
            LOOSE if self.loose.is_none_or(|loose| loose == id) => {
                self.loose = Some(id);
                self.open[1] = true;
            }
            _ => return false,
        }
        true
    }

    pub(super) fn are_open(&self) -> bool {
        self.open == [true; 2]
    }

    pub(super) fn is_main(&self, id: ChannelId) -> bool {
        self.main == Some(id)
    }

    pub(super) fn has_room(&self) -> bool {
        self.unwritten.is_empty()
    }

    pub(super) fn push(&mut self, message: &Message) {
        self.unwritten.extend(split(message));
    }

    #[cfg(feature = "cluster")]
    pub(super) fn push_bytes(&mut self, bytes: &[u8]) {
        self.unwritten.push_back(crate::chunk::stream_piece(bytes));
    }

    /// Writes the next piece if there is room for it. All is to be taken out of `rtc` then.
    pub(super) fn write_next(&mut self, rtc: &mut Rtc) -> bool {
        let (Some(piece), Some(main), true) = (self.unwritten.front(), self.main, self.open[0])
        else {
            return false;
        };
        let channel = rtc.channel(main);
        let written =
            channel.is_some_and(|mut channel| channel.write(true, piece).unwrap_or(false));
        if written {
            self.unwritten.pop_front();
        }
        written
    }

    /// Whether the other end has acknowledged all that was written to the main channel, and nothing waits.
    pub(super) fn is_heard(&self, rtc: &mut Rtc) -> bool {
        let channel = self.main.and_then(|main| rtc.channel(main));
        self.unwritten.is_empty()
            && channel.is_none_or(|mut channel| channel.buffered_amount() == 0)
    }

    pub(super) fn write_loose(&mut self, rtc: &mut Rtc, message: &Message) {
        let Some(id) = self.loose.filter(|_| self.open[1]) else {
            return;
        };
        if message.as_bytes().len() <= WHOLE_LEN
            && let Some(mut channel) = rtc.channel(id)
        {
            for piece in split(message) {
                // Without room it is lost, as it may be.
                let _ = channel.write(true, &piece);
            }
        }
    }

    /// Reads what came.
    pub(super) fn read(&mut self, data: &ChannelData) -> Result<Read, Failure> {
        let counted = self.main == Some(data.id);
        if counted
            && self.purpose == Purpose::Bytes
            && let Some(bytes) = stream_bytes(&data.data)
        {
            return Ok(Read::Bytes(bytes.to_vec()));
        }
        let message = if counted {
            self.joiner.push(&data.data)
        } else if self.loose == Some(data.id) {
            // A message of one piece, or none.
            Joiner::new(self.max_message.min(WHOLE_LEN)).push(&data.data)
        } else {
            return Ok(Read::Strange);
        };
        let Some(message) = message.map_err(Failure::malformed)? else {
            return Ok(Read::Part);
        };
        let len = message.as_bytes().len();
        let frames = decode(&message).map_err(Failure::malformed)?;
        Ok(Read::Frames(frames, len, counted))
    }
}
