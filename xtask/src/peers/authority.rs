//! Certificates for nodes that speak TLS, made by `shiome cert`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use super::{node::HOST, programs::Programs};

/// An authority for one run. Dropped, its files are removed.
pub(crate) struct Authority {
    program: PathBuf,
    dir: PathBuf,
}

impl Authority {
    /// Makes one that no other is mistaken for.
    ///
    /// # Errors
    ///
    /// What to tell when that is not possible.
    pub(crate) fn make(programs: &Programs) -> Result<Self, String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = env::temp_dir().join(format!("peers-{}-{number}", std::process::id()));
        let authority = Self {
            program: programs.shiome(),
            dir,
        };
        authority.cert("init", &["--dir"])?;
        Ok(authority)
    }

    /// What a node is started with that believes this authority, and shows what the authority says of a node of this name.
    ///
    /// # Errors
    ///
    /// What to tell when the certificate cannot be made.
    pub(crate) fn options(&self, name: &str) -> Result<Vec<String>, String> {
        let node = format!("{name}@{HOST}");
        self.cert("issue", &[&node, "--replace", "--ca"])?;
        let file = |name: &str| self.dir.join(name).display().to_string();
        Ok(vec![
            "--tls-ca".to_owned(),
            file("ca.pem"),
            "--tls-cert".to_owned(),
            file(&format!("{node}.pem")),
            "--tls-key".to_owned(),
            file(&format!("{node}.key")),
        ])
    }

    /// Runs the command, with the directory behind the arguments.
    fn cert(&self, command: &str, arguments: &[&str]) -> Result<(), String> {
        let output = Command::new(&self.program)
            .args(["cert", command])
            .args(arguments)
            .arg(Path::new(&self.dir))
            .output()
            .map_err(|e| format!("{}: {e}", self.program.display()))?;
        if output.status.success() {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        // They lie where such files are cleaned up anyhow.
        let _ = fs::remove_dir_all(&self.dir);
    }
}
