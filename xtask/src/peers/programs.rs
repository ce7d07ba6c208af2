//! The programs that meet.

use std::{
    env, fmt,
    path::{Path, PathBuf},
};

use crate::cargo;

/// What a node is built from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// This workspace.
    Shiome,
    /// `ractor_cluster` 0.16.5.
    V0_16,
    /// `ractor_cluster` 0.15.12.
    V0_15,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::V0_16, Self::V0_15, Self::Shiome];

    pub(crate) fn is_published(self) -> bool {
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

/// How programs are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// With all assertions.
    Debug,
    /// For speed.
    Release,
}

/// Where the built programs lie.
#[derive(Debug)]
pub(crate) struct Programs {
    real: PathBuf,
    ours: PathBuf,
    /// The binary `shiome`, which makes certificates.
    shiome: PathBuf,
    /// Why the sample does not build on shiome, which says nothing about the nodes.
    dropin_problem: Option<String>,
}

impl Programs {
    /// Builds the programs that meet, of both workspaces.
    ///
    /// # Errors
    ///
    /// What to tell when the nodes do not build.
    pub(crate) fn build(root: &Path) -> Result<Self, String> {
        Ok(Self {
            shiome: build_shiome(root)?,
            real: build(root, "real", Profile::Debug, MET)?,
            ours: build(root, "ours", Profile::Debug, &["peer-node-shiome"])?,
            dropin_problem: build(root, "ours", Profile::Debug, &["dropin-shiome"]).err(),
        })
    }

    /// Builds the nodes alone.
    ///
    /// # Errors
    ///
    /// What to tell when they do not build.
    pub(crate) fn nodes(root: &Path, profile: Profile) -> Result<Self, String> {
        let published = ["peer-node-0-16", "peer-node-0-15"];
        Ok(Self {
            shiome: build_shiome(root)?,
            real: build(root, "real", profile, &published)?,
            ours: build(root, "ours", profile, &["peer-node-shiome"])?,
            dropin_problem: Some("the sample was not asked for".to_owned()),
        })
    }

    pub(crate) fn node(&self, kind: Kind) -> PathBuf {
        match kind {
            Kind::Shiome => program(&self.ours, "peer-node-shiome"),
            Kind::V0_16 => program(&self.real, "peer-node-0-16"),
            Kind::V0_15 => program(&self.real, "peer-node-0-15"),
        }
    }

    /// The binary of this workspace.
    pub(crate) fn shiome(&self) -> PathBuf {
        self.shiome.clone()
    }

    /// The sample program on the published crate.
    pub(crate) fn dropin_real(&self) -> PathBuf {
        program(&self.real, "dropin-real")
    }

    /// The sample program on shiome.
    ///
    /// # Errors
    ///
    /// What to tell when it did not build.
    pub(crate) fn dropin_shiome(&self) -> Result<PathBuf, String> {
        match &self.dropin_problem {
            None => Ok(program(&self.ours, "dropin-shiome")),
            Some(problem) => Err(problem.clone()),
        }
    }
}

/// The published programs that others meet: what is only measured is built for that.
const MET: &[&str] = &["peer-node-0-16", "peer-node-0-15", "dropin-real"];

/// Builds packages of one workspace, and returns where the programs are.
///
/// # Errors
///
/// What to tell when they do not build.
pub(crate) fn build(
    root: &Path,
    workspace: &str,
    profile: Profile,
    packages: &[&str],
) -> Result<PathBuf, String> {
    let dir = cargo::target_dir(root).join(format!("peers-{workspace}"));
    let mut command = cargo::cargo(root);
    command
        .args(["build", "--locked", "--manifest-path"])
        .arg(format!("tests/peers/{workspace}/Cargo.toml"))
        .arg("--target-dir")
        .arg(&dir);
    for package in packages {
        command.args(["--package", package]);
    }
    let folder = match profile {
        Profile::Debug => "debug",
        Profile::Release => {
            command.arg("--release");
            "release"
        }
    };
    cargo::succeed(&mut command).map(|()| dir.join(folder))
}

/// Builds the binary of this workspace, which is not measured.
fn build_shiome(root: &Path) -> Result<PathBuf, String> {
    let mut command = cargo::cargo(root);
    command.args(["build", "--locked", "--package", "shiome-cli"]);
    let dir = cargo::target_dir(root).join("debug");
    cargo::succeed(&mut command).map(|()| program(&dir, "shiome"))
}

fn program(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}{}", env::consts::EXE_SUFFIX))
}
