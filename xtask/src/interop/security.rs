//! How the links of nodes that meet are protected.

use crate::peers::programs::Kind;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Security {
    /// Not at all.
    Plain,
    /// By TLS, where who is dialled shows a certificate.
    Tls,
    /// By TLS, where both show one.
    Mutual,
}

/// Streams of bytes that are as good as each other.
pub(super) const PLAIN_AND_TLS: &[Security] = &[Security::Plain, Security::Tls];

/// Wherever there are certificates.
pub(super) const TLS: &[Security] = &[Security::Tls, Security::Mutual];

pub(super) const MUTUAL: &[Security] = &[Security::Mutual];

impl Security {
    pub(super) const ALL: &[Self] = &[Self::Plain, Self::Tls, Self::Mutual];

    pub(super) fn is_plain(self) -> bool {
        self == Self::Plain
    }

    /// Whether both sides show a certificate.
    pub(super) fn is_mutual(self) -> bool {
        self == Self::Mutual
    }

    /// How the names of checks begin.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Tls => "tls | ",
            Self::Mutual => "mtls | ",
        }
    }

    /// What a node is started with, besides its certificate.
    pub(super) fn options(self, _kind: Kind) -> &'static [&'static str] {
        match self {
            Self::Plain | Self::Tls => &[],
            Self::Mutual => &["--tls-mutual"],
        }
    }
}
