use std::{
    fs, io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::{
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};
use tokio_rustls::rustls::crypto::CryptoProvider;
use tracing::{info, warn};

use super::{credentials::Credentials, identity::Identity, load::LoadError, trust::Trust};

/// The PEM files of a node.
#[derive(Debug, Clone)]
pub struct Files {
    /// Its certificate, and after it those that lead to an authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities that it believes.
    pub authorities: PathBuf,
}

/// Credentials that follow their files, without a restart.
#[derive(Debug)]
pub struct Reloading {
    files: Files,
    credentials: Arc<Credentials>,
    /// What was seen of the files when they were last loaded. Held while they are loaded.
    seen: Mutex<Seen>,
}

/// When each file was modified, and its length. `None` for what cannot be looked at.
type Seen = [Option<(SystemTime, u64)>; 3];

impl Reloading {
    /// Loads the files for the first time.
    ///
    /// # Errors
    ///
    /// [`LoadError`].
    pub fn load(files: Files, provider: Arc<CryptoProvider>) -> Result<Self, LoadError> {
        let seen = Mutex::new(files.look());
        let (identity, trust) = files.read()?;
        Ok(Self {
            credentials: Credentials::new(Some(identity), trust, provider)?,
            files,
            seen,
        })
    }

    /// The credentials, to configure servers and clients with.
    pub fn credentials(&self) -> &Arc<Credentials> {
        &self.credentials
    }

    /// Loads the files now, and puts them in force if all are sound and fit together. Reads files: it blocks.
    ///
    /// # Errors
    ///
    /// [`LoadError`]; what was in force stays.
    pub fn reload(&self) -> Result<(), LoadError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // Looked at before they are read: a change in between is seen the next time.
        let now = self.files.look();
        self.load_as(&mut seen, now)
    }

    /// Loads the files if a time of modification or a length has changed since they were last loaded; whether it did. Reads
    /// files: it blocks.
    ///
    /// # Errors
    ///
    /// [`LoadError`]; what was in force stays, and the next call tries again.
    pub fn reload_if_changed(&self) -> Result<bool, LoadError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.files.look();
        if *seen == now {
            return Ok(false);
        }
        self.load_as(&mut seen, now).map(|()| true)
    }

    fn load_as(&self, seen: &mut Seen, now: Seen) -> Result<(), LoadError> {
        let (identity, trust) = self.files.read()?;
        self.credentials.replace(Some(identity), trust)?;
        *seen = now;
        Ok(())
    }

    /// Looks at the files once each `period`, for ever, and reloads those that changed. What cannot be loaded is logged as a
    /// warning each time: files may be half written. Dropping the future ends the watch.
    ///
    /// # Panics
    ///
    /// When `period` is zero.
    pub async fn watch(self: Arc<Self>, period: Duration) {
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let reloading = Arc::clone(&self);
            match spawn_blocking(move || reloading.reload_if_changed()).await {
                Ok(Ok(true)) => info!("certificates reloaded"),
                Ok(Ok(false)) => {}
                Ok(Err(error)) => {
                    let error: &dyn std::error::Error = &error;
                    warn!(error, "certificates changed and cannot be loaded");
                }
                // The runtime is shutting down.
                Err(_) => return,
            }
        }
    }
}

impl Files {
    fn read(&self) -> Result<(Identity, Trust), LoadError> {
        let identity = Identity::from_pem_files(&self.certificate, &self.key)?;
        let trust = Trust::authorities_pem_file(&self.authorities)?;
        Ok((identity, trust))
    }

    fn look(&self) -> Seen {
        let look = |path: &PathBuf| -> io::Result<_> {
            let metadata = fs::metadata(path)?;
            Ok((metadata.modified()?, metadata.len()))
        };
        [&self.certificate, &self.key, &self.authorities].map(|path| look(path).ok())
    }
}
