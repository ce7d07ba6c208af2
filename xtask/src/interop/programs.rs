//! The programs that meet.

use std::{
    env, fmt,
    path::{Path, PathBuf},
};

use crate::cargo;

/// What a node is built from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// This workspace.
    Shiome,
    /// `ractor_cluster` 0.16.5.
    V0_16,
    /// `ractor_cluster` 0.15.12.
    V0_15,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::V0_16, Self::V0_15, Self::Shiome];

    pub(super) fn is_published(self) -> bool {
        self != Self::Shiome
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Shiome => "shiome",
            Self::V0_16 => "0.16.5",
            Self::V0_15 => "0.15.12",
        })
    }
}

/// Where the built programs lie.
#[derive(Debug)]
pub(super) struct Programs {
    real: PathBuf,
    ours: PathBuf,
    /// Why the sample does not build on shiome, which says nothing about the nodes.
    dropin_problem: Option<String>,
}

impl Programs {
    /// Builds both workspaces of peers.
    ///
    /// # Errors
    ///
    /// What to tell when the nodes do not build.
    pub(super) fn build(root: &Path) -> Result<Self, String> {
        let target = cargo::target_dir(root);
        let build = |workspace: &str, packages: &[&str]| {
            let dir = target.join(format!("peers-{workspace}"));
            let mut command = cargo::cargo(root);
            command
                .args(["build", "--locked", "--manifest-path"])
                .arg(format!("tests/peers/{workspace}/Cargo.toml"))
                .arg("--target-dir")
                .arg(&dir);
            for package in packages {
                command.args(["--package", package]);
            }
            cargo::succeed(&mut command).map(|()| dir.join("debug"))
        };
        Ok(Self {
            real: build("real", &[])?,
            ours: build("ours", &["peer-node-shiome"])?,
            dropin_problem: build("ours", &["dropin-shiome"]).err(),
        })
    }

    pub(super) fn node(&self, kind: Kind) -> PathBuf {
        match kind {
            Kind::Shiome => program(&self.ours, "peer-node-shiome"),
            Kind::V0_16 => program(&self.real, "peer-node-0-16"),
            Kind::V0_15 => program(&self.real, "peer-node-0-15"),
        }
    }

    /// The sample program on the published crate.
    pub(super) fn dropin_real(&self) -> PathBuf {
        program(&self.real, "dropin-real")
    }

    /// The sample program on shiome.
    ///
    /// # Errors
    ///
    /// What to tell when it did not build.
    pub(super) fn dropin_shiome(&self) -> Result<PathBuf, String> {
        match &self.dropin_problem {
            None => Ok(program(&self.ours, "dropin-shiome")),
            Some(problem) => Err(problem.clone()),
        }
    }
}

fn program(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}{}", env::consts::EXE_SUFFIX))
}
