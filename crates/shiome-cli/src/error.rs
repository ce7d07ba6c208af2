use std::{io, path::PathBuf, process::ExitCode};

use shiome::{BuildError, ChannelError, ConnectError, KeepError, transport::TransportError};
use shiome_bus::BusError;
use shiome_inspect::metrics::RecorderInstalled;
use thiserror::Error;

use crate::{
    ask::AskFailure, bench::BenchError, cert::CertError, cookie::CookieError, decode::DecodeError,
    file::FileError, node::ConfigError, token::TokenFileError,
};

/// What the exit code of a command says.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  all went well
  1  something failed while running: a file, the network, a peer, a step of the demo
  2  it can only succeed when given differently: arguments, environment, configuration, cookie
  3  decode: read to the end, and something in it is malformed
  4  ping, members, sessions, actors, groups, call, watch: the node that is asked cannot be reached, or lets nobody in
  5  the same: it was reached, and what was asked for could not be done, such as a call without an answer";

/// Why a command did not succeed.
#[derive(Debug, Error)]
pub(crate) enum Error {
    #[error("`{0}` is not a log filter")]
    LogFilter(String),
    #[error(transparent)]
    Cookie(#[from] CookieError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Cert(#[from] CertError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error("cannot write to standard output")]
    Print(#[source] io::Error),
    #[error("cannot start the runtime")]
    Runtime(#[source] io::Error),
    #[error("there is no command `{0}`")]
    NoCommand(String),
    #[error("cannot wait for signals")]
    Signal(#[source] io::Error),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Node(#[from] ConnectError),
    #[error("peer: {0}")]
    Peer(#[from] KeepError),
    #[error("no directory for the socket of operators")]
    Socket(#[source] io::Error),
    #[error("`{0}` is no address to serve operators at")]
    AdminAddress(String),
    #[error("cannot serve operators at {address}")]
    Serve {
        address: String,
        source: TransportError,
    },
    #[error("cannot take peers of the bus at {url}")]
    Bus { url: String, source: BusError },
    #[error("cannot join the bus of the cluster")]
    BusOfCluster(#[source] ChannelError),
    #[error(transparent)]
    Token(#[from] TokenFileError),
    #[error(transparent)]
    Ask(#[from] AskFailure),
    #[error(transparent)]
    Bench(#[from] BenchError),
    #[error(transparent)]
    Metrics(#[from] RecorderInstalled),
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
    /// As the table of [`EXIT_CODES`] says.
    pub(crate) fn exit_code(&self) -> ExitCode {
        let code = match self {
            Self::LogFilter(_)
            | Self::Cookie(_)
            | Self::Config(_)
            | Self::NoCommand(_)
            | Self::AdminAddress(_)
            | Self::Token(_)
            | Self::Peer(_)
            | Self::Build(
                BuildError::Address(_)
                | BuildError::Unspecified(_)
                | BuildError::Peer(_)
                | BuildError::Seed(_)
                | BuildError::GossipPort { .. }
                | BuildError::TooManyListeners
                | BuildError::Advertised(_)
                | BuildError::Tls(_),
            ) => 2,
            Self::Cert(error) if error.is_misuse() => 2,
            Self::File(FileError::Exists(_)) => 2,
            Self::Ask(error) => error.exit_code(),
            Self::Decode(DecodeError::Malformed { .. }) => 3,
            Self::Decode(error) if error.is_misuse() => 2,
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
