//! What frames are made of, checked alike in both forms.

use super::{MAX_DETAIL_LEN, WireError};
use crate::{Incarnation, Level, MAX_HOPS, MAX_NUMBER, MessageId, Name, Payload, PeerId, Priority};

pub(super) fn number(number: u64) -> Result<u64, WireError> {
    if number > MAX_NUMBER {
        return Err(WireError::TooLong("number"));
    }
    Ok(number)
}

pub(super) fn incarnation(number: u64) -> Result<Incarnation, WireError> {
    Incarnation::new(number).ok_or(WireError::TooLong("number"))
}

pub(super) fn peer_id(text: &str) -> Result<PeerId, WireError> {
    PeerId::new(text).map_err(|_| WireError::Value("peer id"))
}

pub(super) fn message_id(incarnation: u64, seq: u64) -> Result<MessageId, WireError> {
    Ok(MessageId {
        incarnation: self::incarnation(incarnation)?,
        seq: number(seq)?,
    })
}

/// Reads `<incarnation>.<seq>`.
pub(super) fn message_id_of(text: &str) -> Result<MessageId, WireError> {
    let (incarnation, seq) = text.split_once('.').ok_or(WireError::Value("message id"))?;
    message_id(decimal(incarnation)?, decimal(seq)?)
}

/// A number in the one form that it has.
fn decimal(text: &str) -> Result<u64, WireError> {
    let canonical = text == "0" || text.starts_with(|c: char| matches!(c, '1'..='9'));
    let number = text.parse().ok().filter(|_| canonical);
    number.ok_or(WireError::Value("message id"))
}

/// The names in the envelope before: those of the next one in a message are mostly the same, and are checked already.
#[derive(Debug, Default)]
pub(super) struct Before {
    from: Option<PeerId>,
    to: Option<PeerId>,
    name: Option<Name>,
}

impl Before {
    #[inline]
    pub(super) fn from(&mut self, text: &[u8]) -> Result<PeerId, WireError> {
        again(&mut self.from, text, PeerId::as_str, peer_id)
    }

    #[inline]
    pub(super) fn to(&mut self, text: &[u8]) -> Result<PeerId, WireError> {
        again(&mut self.to, text, PeerId::as_str, peer_id)
    }

    #[inline]
    pub(super) fn name(&mut self, text: &[u8]) -> Result<Name, WireError> {
        again(&mut self.name, text, Name::as_str, intent_name)
    }
}

/// What `make` makes of `text`, which may be what it made last.
#[inline]
fn again<T: Clone>(
    last: &mut Option<T>,
    text: &[u8],
    text_of: impl Fn(&T) -> &str,
    make: impl Fn(&str) -> Result<T, WireError>,
) -> Result<T, WireError> {
    match last {
        Some(known) if text_of(known).as_bytes() == text => Ok(known.clone()),
        _ => {
            let made = make(std::str::from_utf8(text).map_err(|_| WireError::Utf8)?)?;
            *last = Some(made.clone());
            Ok(made)
        }
    }
}

fn intent_name(text: &str) -> Result<Name, WireError> {
    Name::any(text).map_err(|_| WireError::Value("intent name"))
}

/// The payload with this text. It is copied: a slice of the message would keep all of that in memory.
pub(super) fn payload(text: &str) -> Result<Payload, WireError> {
    Payload::from_text(text).map_err(|_| WireError::Payload)
}

pub(super) fn hops(hops: u64) -> Result<u8, WireError> {
    let hops = u8::try_from(hops).ok().filter(|hops| *hops <= MAX_HOPS);
    hops.ok_or(WireError::Value("hops"))
}

pub(super) fn detail(text: &str) -> Result<String, WireError> {
    if text.len() > MAX_DETAIL_LEN {
        return Err(WireError::TooLong("detail"));
    }
    Ok(text.to_owned())
}

/// Levels at their numbers.
const LEVELS: [(Level, &str); 4] = [
    (Level::Accepted, "accepted"),
    (Level::Received, "received"),
    (Level::Handled, "handled"),
    (Level::Answered, "answered"),
];

pub(super) fn level(name: &str) -> Result<Level, WireError> {
    let level = LEVELS.iter().find(|(_, known)| *known == name);
    level.map_or(Err(WireError::Value("level")), |(level, _)| Ok(*level))
}

pub(super) fn level_of_number(number: u8) -> Level {
    LEVELS[usize::from(number & 3)].0
}

pub(super) fn level_name(level: Level) -> &'static str {
    LEVELS[usize::from(level_number(level))].1
}

pub(super) fn level_number(level: Level) -> u8 {
    match level {
        Level::Accepted => 0,
        Level::Received => 1,
        Level::Handled => 2,
        Level::Answered => 3,
    }
}

/// Priorities at their numbers.
const PRIORITIES: [(Priority, &str); 3] = [
    (Priority::Normal, "normal"),
    (Priority::System, "system"),
    (Priority::Bulk, "bulk"),
];

pub(super) fn priority(name: &str) -> Result<Priority, WireError> {
    let priority = PRIORITIES.iter().find(|(_, known)| *known == name);
    priority.map_or(Err(WireError::Value("priority")), |(p, _)| Ok(*p))
}

pub(super) fn priority_of_number(number: u8) -> Result<Priority, WireError> {
    let priority = PRIORITIES.get(usize::from(number));
    priority.map_or(Err(WireError::Value("priority")), |(p, _)| Ok(*p))
}

pub(super) fn priority_name(priority: Priority) -> &'static str {
    PRIORITIES[usize::from(priority_number(priority))].1
}

pub(super) fn priority_number(priority: Priority) -> u8 {
    match priority {
        Priority::Normal => 0,
        Priority::System => 1,
        Priority::Bulk => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_ids_have_one_form() {
        let id = message_id_of("1763112345678901.42").unwrap();
        assert_eq!(id.to_string(), "1763112345678901.42");
        assert_eq!(message_id_of("0.0").unwrap().to_string(), "0.0");
        for text in [
            "",
            ".",
            "1",
            "1.",
            ".1",
            "01.1",
            "1.01",
            "+1.1",
            "1.+1",
            "-1.1",
            "1.1.1",
            "1e3.1",
            " 1.1",
            "9007199254740992.1",
            "1.9007199254740992",
            "1.99999999999999999999",
        ] {
            assert!(message_id_of(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn levels_and_priorities_stand_at_their_numbers() {
        for (at, (known, name)) in LEVELS.into_iter().enumerate() {
            assert_eq!(level_number(known) as usize, at);
            assert_eq!(level_of_number(at as u8), known);
            assert_eq!(level(level_name(known)), Ok(known), "{name}");
        }
        for (at, (known, name)) in PRIORITIES.into_iter().enumerate() {
            assert_eq!(priority_number(known) as usize, at);
            assert_eq!(priority_of_number(at as u8), Ok(known));
            assert_eq!(priority(priority_name(known)), Ok(known), "{name}");
        }
        assert!(level("exactly-once").is_err());
        assert!(priority_of_number(3).is_err());
    }
}
