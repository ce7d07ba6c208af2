//! The certificate that nodes share when they speak TLS.

use std::{env, fs, path::PathBuf, process::Command};

use super::programs::{Kind, Programs};

/// A certificate and its key, made for this run. Dropped, the files are removed.
pub(crate) struct Certificate {
    dir: PathBuf,
    options: [String; 4],
}

impl Certificate {
    /// Lets a node write them.
    ///
    /// # Errors
    ///
    /// What to tell when it does not.
    pub(crate) fn make(programs: &Programs, run: &str) -> Result<Self, String> {
        let dir = env::temp_dir().join(format!("peers-{}-{run}", std::process::id()));
        fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        let [certificate, key] = ["cert.der", "key.der"].map(|file| dir.join(file));
        let certificate = Self {
            options: [
                "--tls-cert".to_owned(),
                certificate.display().to_string(),
                "--tls-key".to_owned(),
                key.display().to_string(),
            ],
            dir,
        };
        let program = programs.node(Kind::Shiome);
        let output = Command::new(&program)
            .args(["--name", "-", "--cookie", "-", "--write-tls"])
            .args(&certificate.options)
            .output()
            .map_err(|e| format!("{}: {e}", program.display()))?;
        if output.status.success() {
            Ok(certificate)
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// What to start a node with.
    pub(crate) fn options(&self) -> Vec<&str> {
        self.options.iter().map(String::as_str).collect()
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        // They lie where such files are cleaned up anyhow.
        let _ = fs::remove_dir_all(&self.dir);
    }
}
