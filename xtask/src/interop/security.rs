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
    /// The same, where nodes of ours are made by shiome's builder and have its own TLS.
    Builder,
}

/// Streams of bytes that are as good as each other.
pub(super) const PLAIN_AND_TLS: &[Security] = &[Security::Plain, Security::Tls];

/// Wherever there are certificates.
pub(super) const TLS: &[Security] = &[Security::Tls, Security::Mutual, Security::Builder];

/// Where the program decides who may show none.
pub(super) const MUTUAL: &[Security] = &[Security::Mutual];

/// Where a certificate is for one node.
pub(super) const BUILDER: &[Security] = &[Security::Builder];

impl Security {
    pub(super) const ALL: &[Self] = &[Self::Plain, Self::Tls, Self::Mutual, Self::Builder];

    pub(super) fn is_plain(self) -> bool {
        self == Self::Plain
    }

    /// Whether both sides show a certificate.
    pub(super) fn is_mutual(self) -> bool {
        matches!(self, Self::Mutual | Self::Builder)
    }

    /// How the names of checks begin.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Tls => "tls | ",
            Self::Mutual => "mtls | ",
            Self::Builder => "builder | ",
        }
    }

    /// What a node is started with, besides its certificate.
    pub(super) fn options(self, kind: Kind) -> &'static [&'static str] {
        match (self, kind) {
            (Self::Plain | Self::Tls, _) => &[],
            (Self::Builder, Kind::Shiome) => &["--builder"],
            (Self::Mutual | Self::Builder, _) => &["--tls-mutual"],
        }
    }
}
