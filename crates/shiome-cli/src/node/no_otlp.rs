//! Spans go nowhere: the program was built without the feature `otlp`.

use tracing_subscriber::EnvFilter;

use super::{ConfigError, settings::Settings};
use crate::{error::Error, log};

pub(super) struct Export;

impl Export {
    /// Logs from now on.
    pub(super) fn install(filter: EnvFilter, settings: &Settings) -> Result<Self, Error> {
        if let Some(collector) = &settings.operation.otlp {
            let built = "this program was built without the feature `otlp`";
            let problem = format!("{}: {built}", collector.as_str());
            return Err(ConfigError::Otlp(problem).into());
        }
        let _ = tracing::subscriber::set_global_default(log::subscriber(filter));
        Ok(Self)
    }

    pub(super) async fn finish(self) {}
}
