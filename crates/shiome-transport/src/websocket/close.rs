use std::fmt;

use shiome_session::GoodbyeReason;

/// Why a WebSocket was closed, as its close code says (RFC 6455 §7.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// 1000: it is no longer needed.
    Normal,
    /// 1001: the node stops, or the page was left.
    GoingAway,
    /// 1002: the other broke the protocol.
    Protocol,
    /// 1003: the other sent what is not binary.
    Unsupported,
    /// 1005: no code was sent.
    NoStatus,
    /// 1008: the other may not do this.
    Policy,
    /// 1009: a message is too long.
    TooLong,
    /// 1011: a fault of the closing side.
    Internal,
    /// 1012: it begins again, and may be dialled soon.
    Restart,
    /// 1013: it has too much to do.
    Overload,
    /// 4001: another link between the two nodes stays.
    Duplicate,
    /// 4002: the other did not answer.
    Unresponsive,
    /// Any other code.
    Other(u16),
}

impl CloseReason {
    /// The close code.
    pub fn code(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::GoingAway => 1001,
            Self::Protocol => 1002,
            Self::Unsupported => 1003,
            Self::NoStatus => 1005,
            Self::Policy => 1008,
            Self::TooLong => 1009,
            Self::Internal => 1011,
            Self::Restart => 1012,
            Self::Overload => 1013,
            Self::Duplicate => 4001,
            Self::Unresponsive => 4002,
            Self::Other(code) => code,
        }
    }

    /// Whether it is no fault: the peer has said all.
    pub fn is_orderly(self) -> bool {
        matches!(self, Self::Normal | Self::GoingAway | Self::NoStatus)
    }
}

impl From<u16> for CloseReason {
    fn from(code: u16) -> Self {
        match code {
            1000 => Self::Normal,
            1001 => Self::GoingAway,
            1002 => Self::Protocol,
            1003 => Self::Unsupported,
            1005 => Self::NoStatus,
            1008 => Self::Policy,
            1009 => Self::TooLong,
            1011 => Self::Internal,
            1012 => Self::Restart,
            1013 => Self::Overload,
            4001 => Self::Duplicate,
            4002 => Self::Unresponsive,
            other => Self::Other(other),
        }
    }
}

impl From<GoodbyeReason> for CloseReason {
    fn from(reason: GoodbyeReason) -> Self {
        match reason {
            GoodbyeReason::Shutdown => Self::GoingAway,
            GoodbyeReason::Duplicate => Self::Duplicate,
            GoodbyeReason::Protocol => Self::Protocol,
            GoodbyeReason::Unresponsive => Self::Unresponsive,
            _ => Self::Normal,
        }
    }
}

/// What a goodbye would have said.
impl From<CloseReason> for GoodbyeReason {
    fn from(reason: CloseReason) -> Self {
        match reason {
            CloseReason::Normal => Self::Closed,
            CloseReason::GoingAway | CloseReason::Restart => Self::Shutdown,
            CloseReason::Duplicate => Self::Duplicate,
            CloseReason::Protocol | CloseReason::Unsupported | CloseReason::TooLong => {
                Self::Protocol
            }
            CloseReason::Unresponsive => Self::Unresponsive,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({self:?})", self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_stands_for_one_reason() {
        for code in 0..=u16::MAX {
            assert_eq!(CloseReason::from(code).code(), code);
        }
    }

    #[test]
    fn a_goodbye_survives_as_a_code() {
        for goodbye in [
            GoodbyeReason::Shutdown,
            GoodbyeReason::Closed,
            GoodbyeReason::Duplicate,
            GoodbyeReason::Protocol,
            GoodbyeReason::Unresponsive,
        ] {
            let code = CloseReason::from(goodbye).code();
            assert_eq!(GoodbyeReason::from(CloseReason::from(code)), goodbye);
        }
    }
}
