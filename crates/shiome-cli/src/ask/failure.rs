use std::{io, path::PathBuf};

use shiome::{
    BuildError, ConnectError,
    inspect::AskError,
    transport::{TransportError, tls::LoadError},
};
use thiserror::Error;

use crate::{cookie::CookieError, file::FileError, token::TokenFileError};

/// A node was not asked, or has not done what it was asked for.
#[derive(Debug, Error)]
pub(crate) enum AskFailure {
    #[error("no node of this user runs on this machine; --admin says which to ask")]
    NoNode,
    #[error("no node of this user on this machine is called `{0}`")]
    NotFound(String),
    #[error("which node? --admin says it: {}", .0.join(", "))]
    Several(Vec<String>),
    #[error("`{0}` is not of the form unix:/PATH or tcp://IP:PORT, nor the name of a node")]
    Address(String),
    #[error("tcp needs a token: give --token-file FILE")]
    NeedsToken,
    #[error(transparent)]
    Token(#[from] TokenFileError),
    #[error(transparent)]
    Cookie(#[from] CookieError),
    #[error("cannot read `{}`", .path.display())]
    ReadFile { path: PathBuf, source: io::Error },
    #[error("argument `{argument}`: {reason}")]
    Argument { argument: String, reason: String },
    #[error("the node cannot be reached")]
    Unreachable(#[from] TransportError),
    #[error("the node does not answer as one")]
    Protocol(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the node lets nobody in: {0}")]
    Refused(String),
    #[error("the node has not answered in time")]
    Late,
    #[error(transparent)]
    Guest(#[from] BuildError),
    #[error("TLS")]
    Tls(#[source] LoadError),
    #[error("the certificate `{}` names neither a node nor a host", .0.display())]
    Certificate(PathBuf),
    #[error(transparent)]
    File(#[from] FileError),
    #[error("cannot wait for signals")]
    Signal(#[source] io::Error),
    #[error("the node cannot be joined")]
    Join(#[source] ConnectError),
    #[error("{0}")]
    NotDone(String),
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error("cannot write to standard output")]
    Print(#[source] io::Error),
}

impl AskFailure {
    /// As the table of exit codes says.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Several(_)
            | Self::Address(_)
            | Self::NeedsToken
            | Self::Token(_)
            | Self::Cookie(_)
            | Self::ReadFile { .. }
            | Self::Argument { .. }
            | Self::Tls(_)
            | Self::Certificate(_)
            | Self::File(_)
            | Self::Guest(BuildError::Advertised(_)) => 2,
            Self::NoNode
            | Self::NotFound(_)
            | Self::Unreachable(_)
            | Self::Protocol(_)
            | Self::Refused(_)
            | Self::Late
            | Self::Join(_) => 4,
            Self::NotDone(_) | Self::Ask(_) => 5,
            Self::Guest(_) | Self::Signal(_) | Self::Print(_) => 1,
        }
    }
}
