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

/// Makes the corpus of a target anew, of it and of what was found.
pub(super) fn minimise(root: &Path, target: &str) -> Result<(), String> {
    let inputs = Inputs::of(root, target)?;
    let new = root.join(DIR).join("found").join(format!(".{target}"));
    clear(&new)?;
    let mut merge = nightly(root);
    merge
        .args(["fuzz", "run", "--fuzz-dir", DIR, target])
        .args([&new, &inputs.corpus, &inputs.found])
        .args(inputs.seeds)
        // As few inputs as reach it all. How often each place is reached says little, for three times as many.
        .args(["--", "-set_cover_merge=1", "-use_counters=0"])
        .arg(format!("-max_len={MAX_LEN}"));
    cargo::succeed(&mut merge)?;
    let kept = files(&new)?;
    if kept.is_empty() {
        return Err(format!("{target}: nothing to keep"));
    }
    clear(&inputs.corpus)?;
    for from in kept {
        let to = inputs.corpus.join(from.file_name().unwrap_or_default());
        fs::rename(&from, &to).map_err(|e| format!("{}: {e}", to.display()))?;
    }
    fs::remove_dir(&new).map_err(|e| format!("{}: {e}", new.display()))?;
    let (count, len) = size(&inputs.corpus)?;
    println!("{target}: {count} inputs, {len} bytes");
    Ok(())
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
