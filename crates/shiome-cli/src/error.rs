use std::{io, path::PathBuf, process::ExitCode};

use shiome::{BuildError, ConnectError, KeepError};
use thiserror::Error;

use crate::{cert::CertError, cookie::CookieError, file::FileError};

/// Why a command did not succeed.
#[derive(Debug, Error)]
pub(crate) enum Error {
    #[error("`{0}` is not a log filter")]
    LogFilter(String),
    #[error(transparent)]
    Cookie(#[from] CookieError),
    #[error(transparent)]
    Cert(#[from] CertError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error("cannot write to standard output")]
    Print(#[source] io::Error),
    #[error("cannot start the runtime")]
    Runtime(#[source] io::Error),
    #[error("cannot wait for signals")]
    Signal(#[source] io::Error),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Node(#[from] ConnectError),
    #[error("peer: {0}")]
    Peer(#[from] KeepError),
    #[error("stopped by a second signal before all sessions were closed")]
    Impatient,
    /// The failed step has been printed.
    #[error("demo failed at step `{0}`")]
    Demo(&'static str),
    #[error("cannot write `{}`", .path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot talk to the demo")]
    Child(#[source] io::Error),
}

impl Error {
    /// 2 when the command can only succeed when given differently, otherwise 1.
    pub(crate) fn exit_code(&self) -> ExitCode {
        let code = match self {
            Self::LogFilter(_)
            | Self::Cookie(_)
            | Self::Peer(_)
            | Self::Build(
                BuildError::Address(_)
                | BuildError::Unspecified(_)
                | BuildError::Peer(_)
                | BuildError::Seed(_)
                | BuildError::GossipPort { .. },
            ) => 2,
            Self::Cert(error) if error.is_misuse() => 2,
            Self::File(FileError::Exists(_)) => 2,
            _ => 1,
        };
        ExitCode::from(code)
    }
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
