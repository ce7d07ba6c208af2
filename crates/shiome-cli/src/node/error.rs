use std::{io, path::PathBuf};

use shiome::transport::tls::LoadError;
use thiserror::Error;

use super::settings::Misfit;

/// A node cannot be started with what it was told.
#[derive(Debug, Error)]
pub(crate) enum ConfigError {
    #[error("cannot read configuration `{}`", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("configuration `{}` is far too long", .0.display())]
    TooLong(PathBuf),
    #[error("configuration `{}`{place}: {reason}", .path.display())]
    File {
        path: PathBuf,
        /// Line and key.
        place: String,
        reason: String,
    },
    #[error("environment variable {variable}: {reason}")]
    Environment { variable: String, reason: String },
    #[error("all settings together: {0}")]
    Together(Misfit),
    #[error(
        "a node needs a name: give --name NAME@HOST:PORT, or set SHIOME_NAME, or `name` in the configuration"
    )]
    NoName,
    #[error("otlp: {0}")]
    Otlp(String),
    #[error("TLS")]
    Tls(#[source] LoadError),
}
