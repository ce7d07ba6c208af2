use shiome_wire::{
    Capabilities,
    native::{call_error, exit, goodbye, refused},
};

use crate::{
    config::MAX_REASON_LEN,
    event::{CallErrorCode, ExitKind, GoodbyeReason, Verb},
    window::Window,
};

/// What two nodes of shiome have agreed on in their handshake, and the limits that the peer has announced there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]

pub struct Terms {
    /// Version of the native protocol.
    pub version: u32,
    /// What both can take.
    pub capabilities: Capabilities,
    /// Tells runs of the peer apart.
    pub incarnation: u64,
    /// Longest frame body that the peer takes, in bytes. At least 64 KiB.
    pub max_frame_len: u64,
    /// Longest message that the peer puts together from fragments, in bytes.
    pub max_message_len: u64,
    /// Bytes of unfinished messages that the peer holds at a time.
    pub max_reassembly_len: u64,
    /// Bytes of casts and fragments that the peer takes before it grants more. At least
    /// [`MIN_WINDOW`](crate::MIN_WINDOW).
    pub window: u64,
}

impl Terms {
    /// Longest message between actors that the peer takes, in bytes.
    pub(crate) fn longest_message(&self) -> u64 {
        if self.capabilities.contains(Capabilities::FRAGMENTS) {
            self.max_message_len.min(self.max_reassembly_len)
        } else if self.capabilities.contains(Capabilities::CREDIT) {
            self.max_frame_len.min(Window::least_left(self.window))
        } else {
            self.max_frame_len
        }
    }
}

/// Both directions of an enumeration that peers may extend; what is not known here reads as the last.
macro_rules! words {
    ($name:ident, $wire:ty, $other:ident => $unspecified:path { $($word:ident),* $(,)? }) => {
        impl $name {
            pub(crate) fn from_wire(word: i32) -> Self {
                match <$wire>::try_from(word) {
                    $(Ok(<$wire>::$word) => Self::$word,)*
                    Ok($unspecified) | Err(_) => Self::$other,
                }
            }

            pub(crate) fn to_wire(self) -> i32 {
                let word = match self {
                    $(Self::$word => <$wire>::$word,)*
                    Self::$other => $unspecified,
                };
                word.into()
            }
        }
    };
}

words!(CallErrorCode, call_error::Code, Other => call_error::Code::Unspecified {
    UnknownActor, Undecodable, NoReply, Overloaded, NotAllowed, TooLong,
});
words!(ExitKind, exit::Kind, Unknown => exit::Kind::Unspecified {
    Stopped, Failed, Killed, UnknownActor,
});
words!(GoodbyeReason, goodbye::Reason, Other => goodbye::Reason::Unspecified {
    Shutdown, Closed, Duplicate, Protocol, Unresponsive,
});

impl Verb {
    pub(crate) fn from_wire(verb: i32) -> Option<Self> {
        match refused::Verb::try_from(verb) {
            Ok(refused::Verb::Stop) => Some(Self::Stop),
            Ok(refused::Verb::Monitor) => Some(Self::Monitor),
            _ => None,
        }
    }

    pub(crate) fn to_wire(self) -> i32 {
        match self {
            Self::Stop => refused::Verb::Stop.into(),
            Self::Monitor => refused::Verb::Monitor.into(),
        }
    }
}

/// No more than [`MAX_REASON_LEN`] bytes of a text.
pub(crate) fn cut(mut text: String) -> String {
    if text.len() > MAX_REASON_LEN {
        let fits = (0..=MAX_REASON_LEN)
            .rev()
            .find(|at| text.is_char_boundary(*at));
        text.truncate(fits.unwrap_or(0));
        text.shrink_to_fit();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_and_unknown_ones_read_as_untold() {
        for word in 0..7 {
            assert_eq!(CallErrorCode::from_wire(word).to_wire(), word);
        }
        for word in 0..5 {
            assert_eq!(ExitKind::from_wire(word).to_wire(), word);
        }
        for word in 0..6 {
            assert_eq!(GoodbyeReason::from_wire(word).to_wire(), word);
        }
        for word in 1..3 {
            assert_eq!(Verb::from_wire(word).map(Verb::to_wire), Some(word));
        }
        for word in [7, -1, i32::MAX, i32::MIN] {
            assert_eq!(CallErrorCode::from_wire(word), CallErrorCode::Other);
            assert_eq!(ExitKind::from_wire(word), ExitKind::Unknown);
            assert_eq!(GoodbyeReason::from_wire(word), GoodbyeReason::Other);
            assert_eq!(Verb::from_wire(word), None);
        }
    }

    #[test]
    fn texts_are_cut_between_characters() {
        let fits = "n".repeat(MAX_REASON_LEN);
        assert_eq!(cut(fits.clone()), fits);
        let long = "ä".repeat(MAX_REASON_LEN);
        assert_eq!(cut(format!("n{long}")).len(), MAX_REASON_LEN - 1);
    }
}
