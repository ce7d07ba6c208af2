//! The inputs of a target.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{DIR, files, nightly, seeds};
use crate::cargo;

/// Limit on an input that is kept, in bytes. No target needs more to reach all that it can.
const MAX_LEN: usize = 64 * 1024;

/// Directories with a target's inputs.
pub(super) struct Inputs {
    /// What is in the tree.
    pub(super) corpus: PathBuf,
    /// What was found on this machine.
    pub(super) found: PathBuf,
    /// What was recorded.
    pub(super) seeds: Option<PathBuf>,
}

impl Inputs {
    /// Makes those that are missing.
    pub(super) fn of(root: &Path, target: &str) -> Result<Self, String> {
        let dir = |name: &str| -> Result<PathBuf, String> {
            let dir = root.join(DIR).join(name).join(target);
            fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
            Ok(dir)
        };
        Ok(Self {
            corpus: dir("corpus")?,
            found: dir("found")?,
            seeds: seeds::write(root, target)?,
        })
    }
}

/// Makes the corpus of a target anew, of it and of what was found. What has a name there is written by hand, and stays.
pub(super) fn minimise(root: &Path, target: &str) -> Result<(), String> {
    let inputs = Inputs::of(root, target)?;
    let new = root.join(DIR).join("found").join(format!(".{target}"));
    clear(&new)?;
    let (found, named): (Vec<_>, Vec<_>) = files(&inputs.corpus)?
        .into_iter()
        .partition(|path| is_found(path));
    for path in &named {
        let to = new.join(path.file_name().unwrap_or_default());
        fs::copy(path, &to).map_err(|e| format!("{}: {e}", to.display()))?;
    }
    merge(root, target, &inputs, &new)?;
    for path in found {
        fs::remove_file(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    for from in files(&new)?.into_iter().filter(|path| is_found(path)) {
        let to = inputs.corpus.join(from.file_name().unwrap_or_default());
        fs::rename(&from, &to).map_err(|e| format!("{}: {e}", to.display()))?;
    }
    fs::remove_dir_all(&new).map_err(|e| format!("{}: {e}", new.display()))?;
    let (count, len) = size(&inputs.corpus)?;
    println!(
        "{target}: {count} inputs, {len} bytes, {} by hand",
        named.len()
    );
    Ok(())
}

/// Adds to `new`, of all inputs, those that reach what is not reached yet.
fn merge(root: &Path, target: &str, inputs: &Inputs, new: &Path) -> Result<(), String> {
    let mut merge = nightly(root);
    merge
        .args(["fuzz", "run", "--fuzz-dir", DIR, target])
        .args([new, &inputs.corpus, &inputs.found])
        .args(&inputs.seeds)
        // As few inputs as reach it all. How often each place is reached says little, for three times as many.
        .args(["--", "-set_cover_merge=1", "-use_counters=0"])
        .arg(format!("-max_len={MAX_LEN}"));
    cargo::succeed(&mut merge)
}

/// Whether an input has the name that the fuzzer gives it: its SHA-1.
fn is_found(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    name.len() == 40 && name.iter().all(u8::is_ascii_hexdigit)
}

/// Number and length in bytes of the inputs in a directory.
pub(super) fn size(dir: &Path) -> Result<(usize, u64), String> {
    let files = files(dir)?;
    let mut len = 0;
    for path in &files {
        let metadata = fs::metadata(path).map_err(|e| format!("{}: {e}", path.display()))?;
        len += metadata.len();
    }
    Ok((files.len(), len))
}

/// Makes an empty directory.
fn clear(dir: &Path) -> Result<(), String> {
    let told = |e| format!("{}: {e}", dir.display());
    if dir.exists() {
        fs::remove_dir_all(dir).map_err(told)?;
    }
    fs::create_dir_all(dir).map_err(told)
}
