//! Certificates of a node, which follow their files.

use std::{sync::Arc, time::Duration};

use shiome::{
    Builder,
    transport::tls::{Files, Reloading, ring},
};

use super::{ConfigError, settings::Tls};

/// How often to look whether files have changed, in seconds.
const WATCH_SECS: u64 = 30;

/// The certificates, if the node has some.
pub(super) fn load(settings: &Tls) -> Result<Option<Arc<Reloading>>, ConfigError> {
    let Tls {
        cert: Some(certificate),
        key: Some(key),
        ca: Some(authorities),
        ..
    } = settings
    else {
        return Ok(None);
    };
    let files = Files {
        certificate: certificate.clone(),
        key: key.clone(),
        authorities: authorities.clone(),
    };
    let loaded = Reloading::load(files, ring()).map_err(ConfigError::Tls)?;
    Ok(Some(Arc::new(loaded)))
}

pub(super) fn apply(builder: Builder, loaded: Option<&Arc<Reloading>>) -> Builder {
    match loaded {
        Some(loaded) => builder.tls(loaded.credentials()),
        None => builder,
    }
}

/// Takes the files up when they change, and when the process is told to, until it is dropped. From the call on, what
/// tells it to does not end the process.
pub(super) fn follow(loaded: Option<Arc<Reloading>>, settings: Tls) -> impl Future<Output = ()> {
    let told = loaded.is_some().then(Told::new);
    async move {
        let (Some(loaded), Some(told)) = (loaded, told) else {
            return std::future::pending().await;
        };
        let secs = settings.watch.map_or(WATCH_SECS, |secs| secs.get());
        let watch = Arc::clone(&loaded).watch(Duration::from_secs(secs));
        tokio::join!(watch, told.reload(loaded));
    }
}

/// Hears of each SIGHUP from when it is made.
#[cfg(unix)]
struct Told(std::io::Result<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Told {
    fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self(signal(SignalKind::hangup()))
    }

    /// Reloads on each SIGHUP.
    async fn reload(self, loaded: Arc<Reloading>) {
        use tracing::{info, warn};

        let mut told = match self.0 {
            Ok(told) => told,
            Err(error) => {
                warn!(%error, "cannot wait for SIGHUP");
                return;
            }
        };
        while told.recv().await.is_some() {
            let loaded = Arc::clone(&loaded);
            match tokio::task::spawn_blocking(move || loaded.reload()).await {
                Ok(Ok(())) => info!("certificates reloaded as told"),
                Ok(Err(error)) => {
                    let error: &dyn std::error::Error = &error;
                    warn!(
                        error,
                        "certificates cannot be loaded, those from before stay"
                    );
                }
                // The runtime is shutting down.
                Err(_) => return,
            }
        }
    }
}

/// There is no such signal.
#[cfg(not(unix))]
struct Told;

#[cfg(not(unix))]
impl Told {
    fn new() -> Self {
        Self
    }

    async fn reload(self, _loaded: Arc<Reloading>) {}
}
