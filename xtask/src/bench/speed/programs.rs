//! The programs that are measured, `tests/peers/speed` and what is built from its sources.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::contender::Program;
use crate::{
    cargo,
    peers::programs::{Profile, build},
};

/// How to start each program, or why it cannot be.
pub(super) struct Programs(BTreeMap<Program, Result<Start, String>>);

/// What stands before the role of a program.
struct Start {
    program: PathBuf,
    args: Vec<String>,
}

impl Programs {
    /// Builds those that are wanted, each for itself: one that does not build leaves out its own rows alone.
    pub(super) fn build(root: &Path, wanted: impl Iterator<Item = Program>) -> Self {
        let mut programs = BTreeMap::new();
        for program in wanted {
            programs
                .entry(program)
                .or_insert_with(|| build_one(root, program));
        }
        Self(programs)
    }

    /// Why a program that is wanted is not there.
    pub(super) fn problem(&self, program: Program) -> Option<String> {
        self.0.get(&program)?.as_ref().err().cloned()
    }

    /// The program, to be told its role.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub(super) fn command(&self, program: Program) -> Result<Command, String> {
        let start = self.0.get(&program).ok_or("was not built")?;
        let start = start.as_ref().map_err(Clone::clone)?;
        let mut command = Command::new(&start.program);
        command.args(&start.args);
        Ok(command)
    }
}

fn build_one(root: &Path, program: Program) -> Result<Start, String> {
    let (workspace, package) = match program {
        Program::Shiome => ("ours", "speed-shiome"),
        Program::V0_16 => ("real", "speed-0-16"),
        Program::V0_15 => ("real", "speed-0-15"),
        Program::Floor => ("speed", "speed-floor"),
        Program::Tonic => ("speed", "speed-tonic"),
        Program::Kameo => ("speed", "speed-kameo"),
        Program::Erlang => return erlang(root),
    };
    let dir = build(root, workspace, Profile::Release, &[package])?;
    Ok(Start {
        program: dir.join(format!("{package}{}", env::consts::EXE_SUFFIX)),
        args: Vec::new(),
    })
}

/// Compiles the Erlang one, where Erlang is installed.
fn erlang(root: &Path) -> Result<Start, String> {
    let dir = cargo::target_dir(root).join("bench").join("erlang");
    fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let compiled = Command::new("erlc")
        .arg("-o")
        .arg(&dir)
        .arg(root.join("tests/peers/speed/erlang/speed.erl"))
        .output()
        .map_err(|_| "Erlang is not installed".to_owned())?;
    if !compiled.status.success() {
        return Err(String::from_utf8_lossy(&compiled.stdout).into_owned());
    }
    let dir = dir.display().to_string();
    let words = "-noshell -start_epmd false -epmd_module speed -s speed main -pa";
    let words = words.split(' ').chain([dir.as_str(), "-extra"]);
    Ok(Start {
        program: "erl".into(),
        args: words.map(str::to_owned).collect(),
    })
}
