//! Who is measured.

use std::fmt;

/// An implementation, and what its messages go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Contender {
    /// Ours where no handle is used.
    Shiome,
    ActorRef,
    RemoteRef,
    V0_16,
    V0_15,
    Floor,
    TonicStream,
    TonicBidi,
    TonicUnary,
    Kameo,
    Erlang,
}

/// The program of a contender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Program {
    Shiome,
    V0_16,
    V0_15,
    Floor,
    Tonic,
    Kameo,
    Erlang,
}

impl Contender {
    pub(super) fn program(self) -> Program {
        match self {
            Self::Shiome | Self::ActorRef | Self::RemoteRef => Program::Shiome,
            Self::V0_16 => Program::V0_16,
            Self::V0_15 => Program::V0_15,
            Self::Floor => Program::Floor,
            Self::TonicStream | Self::TonicBidi | Self::TonicUnary => Program::Tonic,
            Self::Kameo => Program::Kameo,
            Self::Erlang => Program::Erlang,
        }
    }

    /// The word that the program has for it.
    pub(super) fn handle(self) -> &'static str {
        match self {
            Self::Shiome | Self::ActorRef | Self::V0_16 | Self::V0_15 => "actorref",
            Self::RemoteRef => "remoteref",
            Self::TonicStream => "stream",
            Self::TonicBidi => "bidi",
            Self::TonicUnary => "unary",
            Self::Floor | Self::Kameo | Self::Erlang => "-",
        }
    }

    /// How many messages it gets to send where others send `count`: enough for a steady figure, few enough to end.
    pub(super) fn share(self, count: u64) -> u64 {
        match self {
            Self::Floor | Self::TonicStream => 4 * count,
            Self::Kameo => count.div_ceil(40),
            _ => count,
        }
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Shiome => "shiome",
            Self::ActorRef => "ActorRef",
            Self::RemoteRef => "RemoteRef",
            Self::V0_16 => "ractor_cluster 0.16.5",
            Self::V0_15 => "ractor_cluster 0.15.12",
            Self::Floor => "floor",
            Self::TonicStream => "tonic stream",
            Self::TonicBidi => "tonic bidi",
            Self::TonicUnary => "tonic unary",
            Self::Kameo => "kameo",
            Self::Erlang => "Erlang",
        })
    }
}
