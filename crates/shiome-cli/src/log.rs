//! Logs, which go to standard error.

use std::io;

use tracing::Subscriber;
use tracing_subscriber::{EnvFilter, fmt};

use crate::error::Error;

/// What is logged.
pub(crate) fn filter(text: &str) -> Result<EnvFilter, Error> {
    EnvFilter::try_new(text).map_err(|_| Error::LogFilter(text.to_owned()))
}

/// Writes what passes the filter, line by line.
pub(crate) fn subscriber(filter: EnvFilter) -> impl Subscriber + Send + Sync {
    fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        // Logs are read by programs, too.
        .with_ansi(false)
        .finish()
}

/// The same beside others, who have filters of their own.
#[cfg(feature = "otlp")]
pub(crate) fn layer<S>(filter: EnvFilter) -> impl tracing_subscriber::Layer<S>
where
    S: Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    use tracing_subscriber::Layer as _;

    let layer = fmt::layer().with_writer(io::stderr).with_ansi(false);
    layer.with_filter(filter)
}
