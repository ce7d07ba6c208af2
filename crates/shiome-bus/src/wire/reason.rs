//! Why a link ends, or does not begin.

use std::fmt;

/// Why a link ends, or does not begin. In a goodbye, a refusal, and as the close code of the WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// 1000: it is no longer needed.
    Closed,
    /// 1001, and 1012: the process ends, or the page was left.
    GoingAway,
    /// 1002, 1003, 1007: what came is no WebSocket, or no message that is known.
    Protocol,
    /// 1009: a message is longer than agreed.
    TooLong,
    /// 4100: another peer has the id.
    NameTaken,
    /// 4101: the token does not let this id in.
    Unauthorized,
    /// 4102: the version of the protocol is not spoken here.
    UnsupportedVersion,
    /// 4103: there are too many.
    Limit,
    /// 4104: a newer incarnation of the client is here.
    Stale,
    /// 4105: what came is no frame, or none for this time.
    Malformed,
    /// 4106: a newer link of this id has come.
    Replaced,
    /// 4107: nothing was heard.
    Unresponsive,
    /// 4108: too many forged envelopes.
    Policy,
    /// 4109: what is sent is not read.
    Overload,
    /// Any other code; 1005 and 1006 when there was none.
    Lost(u16),
}

/// What is added to the number of a reason in the binary form.
const OWN_CODES: u16 = 4100;

/// Reasons that have a close code of their own and a name.
const NAMED: [(CloseReason, u16, &str); 12] = [
    (CloseReason::Closed, 1000, "closed"),
    (CloseReason::GoingAway, 1001, "going-away"),
    (CloseReason::NameTaken, 4100, "name-taken"),
    (CloseReason::Unauthorized, 4101, "unauthorized"),
    (CloseReason::UnsupportedVersion, 4102, "unsupported-version"),
    (CloseReason::Limit, 4103, "limit"),
    (CloseReason::Stale, 4104, "stale"),
    (CloseReason::Malformed, 4105, "malformed"),
    (CloseReason::Replaced, 4106, "replaced"),
    (CloseReason::Unresponsive, 4107, "unresponsive"),
    (CloseReason::Policy, 4108, "policy"),
    (CloseReason::Overload, 4109, "overload"),
];

impl CloseReason {
    /// The close code.
    pub fn code(self) -> u16 {
        match self {
            Self::Protocol => 1002,
            Self::TooLong => 1009,
            Self::Lost(code) => code,
            named => named.entry().map_or(1006, |(_, code, _)| *code),
        }
    }

    /// What this close code stands for.
    pub fn of_code(code: u16) -> Self {
        match code {
            1002 | 1003 | 1007 => Self::Protocol,
            1009 => Self::TooLong,
            1012 => Self::GoingAway,
            code => NAMED
                .iter()
                .find(|(_, known, _)| *known == code)
                .map_or(Self::Lost(code), |(reason, ..)| *reason),
        }
    }

    /// Its name in frames. Those that only WebSocket says have that of what a client does about it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Protocol | Self::TooLong => "malformed",
            Self::Lost(_) => "lost",
            named => named.entry().map_or("lost", |(.., name)| *name),
        }
    }

    /// The one of this name.
    pub fn of_name(name: &str) -> Self {
        let known = NAMED.iter().find(|(.., known)| *known == name);
        known.map_or(Self::Lost(0), |(reason, ..)| *reason)
    }

    pub(super) fn number(self) -> u8 {
        match self {
            Self::Closed => 254,
            Self::GoingAway => 255,
            Self::Protocol | Self::TooLong => Self::Malformed.number(),
            other => other
                .code()
                .checked_sub(OWN_CODES)
                .and_then(|number| u8::try_from(number).ok())
                .unwrap_or(253),
        }
    }

    pub(super) fn of_number(number: u8) -> Self {
        match number {
            254 => Self::Closed,
            255 => Self::GoingAway,
            other => match Self::of_code(OWN_CODES + u16::from(other)) {
                Self::Lost(_) => Self::Lost(0),
                known => known,
            },
        }
    }

    /// Whether a client dials again after it. After a refusal only if that says when.
    pub fn may_redial(self) -> bool {
        !matches!(
            self,
            Self::Closed
                | Self::NameTaken
                | Self::Unauthorized
                | Self::UnsupportedVersion
                | Self::Limit
                | Self::Stale
                | Self::Replaced
                | Self::Policy
        )
    }

    /// Whether the other end said that the link ends, so that no session is left of it.
    pub fn is_goodbye(self) -> bool {
        matches!(self, Self::Closed | Self::GoingAway)
    }

    fn entry(self) -> Option<&'static (Self, u16, &'static str)> {
        NAMED.iter().find(|(reason, ..)| *reason == self)
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.as_str(), self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_codes_and_numbers_stand_for_one_reason() {
        for (reason, code, name) in NAMED {
            assert_eq!(reason.code(), code);
            assert_eq!(CloseReason::of_code(code), reason);
            assert_eq!(reason.as_str(), name);
            assert_eq!(CloseReason::of_name(name), reason);
            assert_eq!(CloseReason::of_number(reason.number()), reason);
        }
    }

    #[test]
    fn unknown_ones_are_a_loss() {
        assert_eq!(CloseReason::of_code(4999), CloseReason::Lost(4999));
        assert_eq!(CloseReason::of_code(1006), CloseReason::Lost(1006));
        for number in 0..=u8::MAX {
            let reason = CloseReason::of_number(number);
            assert!(reason.number() == number || reason == CloseReason::Lost(0));
        }
        assert!(CloseReason::of_name("bored").may_redial());
    }
}
