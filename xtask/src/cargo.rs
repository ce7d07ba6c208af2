//! Runs cargo, and what comes with it, in the workspace.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The cargo that runs this task, called from `root`.
pub(crate) fn cargo(root: &Path) -> Command {
    tool(root, env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// A program called from `root` that reads nothing from the terminal.
///
/// What cargo tells a program about the package that it belongs to is taken out of the environment: build scripts
/// that watch those variables would run again each time cargo is called from here instead of from a shell.
pub(crate) fn tool(root: &Path, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root).stdin(Stdio::null());
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Where cargo puts what it builds, below which trees outside of the workspace get a directory each.
pub(crate) fn target_dir(root: &Path) -> PathBuf {
    root.join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// Runs `command` to its end with its output on the terminal.
///
/// # Errors
///
/// What to tell when it cannot be started or fails.
pub(crate) fn succeed(command: &mut Command) -> Result<(), String> {
    let told = told(command);
    println!("$ {told}");
    let status = command.status().map_err(|e| format!("{told}: {e}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{told}: {status}"))
    }
}

/// What `command` prints.
///
/// # Errors
///
/// What to tell when it cannot be started or fails.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let told = told(command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("{told}: {e}"))?;
    if !output.status.success() {
        return Err(format!("{told}: {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|e| format!("{told}: {e}"))
}

/// Whether `command` can be started and succeeds. Nothing is shown.
pub(crate) fn works(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The command as it would be typed, without most of a long list of files.
pub(crate) fn told(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_stem().unwrap_or_else(|| command.get_program());
    let words: Vec<_> = std::iter::once(name)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect();
    let (first, more) = words.split_at(words.len().min(MAX_WORDS_TOLD));
    let first = first.join(" ");
    match more.len() {
        0 => first,
        more => format!("{first} .. ({more} more)"),
    }
}

const MAX_WORDS_TOLD: usize = 24;
