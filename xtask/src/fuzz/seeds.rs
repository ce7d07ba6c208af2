//! Inputs from what was recorded at published nodes.

use std::{
    collections::BTreeMap,
    fmt::Display,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::DIR;

/// Length of what stands before a frame's body, in bytes.
const PREFIX_LEN: usize = 8;

/// Writes what was recorded of a target's input into a directory, a file each; `None` when the input is nothing that
/// goes over a wire.
pub(super) fn write(root: &Path, target: &str) -> Result<Option<PathBuf>, String> {
    let Some(input) = Input::of(target) else {
        return Ok(None);
    };
    let vectors = root.join("tests/vectors");
    let recorded = recorded(&vectors, input)?;
    if recorded.is_empty() {
        return Err(format!("{}: no {}", vectors.display(), input.name()));
    }
    let dir = root.join(DIR).join("seeds").join(input.name());
    fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    for (name, bytes) in recorded {
        let path = dir.join(name.replace('/', "-"));
        fs::write(&path, bytes).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(Some(dir))
}

/// What a target takes.
#[derive(Clone, Copy)]
enum Input {
    /// Streams of frames.
    Frames,
    /// Bodies of frames.
    Bodies,
    /// Datagrams of gossip.
    Datagrams,
}

impl Input {
    fn of(target: &str) -> Option<Self> {
        match target {
            "frame_decoder" | "handshake" | "session" => Some(Self::Frames),
            "messages" => Some(Self::Bodies),
            "gossip" | "gossip_compact" => Some(Self::Datagrams),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Frames => "frames",
            Self::Bodies => "bodies",
            Self::Datagrams => "datagrams",
        }
    }

    /// What an entry of a vector file recorded of this; `None` when it is something else.
    fn read(self, file: &str, entry: &Value) -> Result<Option<Recorded>, String> {
        let text = |key: &str| entry[key].as_str();
        let Some(name) = text("name") else {
            return Ok(None);
        };
        let mut seeds = vec![format!("{file}-{name}")];
        let hex = match self {
            Self::Frames => {
                // What went one way over one connection is a seed, too.
                let connection = name.split('/').next().unwrap_or(name);
                seeds.extend(text("direction").map(|way| format!("{file}-{connection}-{way}")));
                text("frame_hex")
            }
            Self::Bodies => text("frame_hex").and_then(|hex| hex.get(2 * PREFIX_LEN..)),
            // Other bytes in vectors are of no kind.
            Self::Datagrams => text("kind").and_then(|_| text("hex")),
        };
        let bytes = hex.map(hex::decode).transpose();
        let bytes = bytes.map_err(|e| format!("{name}: {e}"))?;
        Ok(bytes.map(|bytes| Recorded { bytes, seeds }))
    }
}

struct Recorded {
    bytes: Vec<u8>,
    /// Names of the seeds that the bytes are part of.
    seeds: Vec<String>,
}

/// Bytes that went over the wire, by a name for them. What has the same name follows one another.
fn recorded(dir: &Path, input: Input) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let mut recorded = BTreeMap::<_, Vec<_>>::new();
    let files = fs::read_dir(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    for file in files {
        let path = file.map_err(|e| e.to_string())?.path();
        let told = |e: &dyn Display| format!("{}: {e}", path.display());
        let text = fs::read(&path).map_err(|e| told(&e))?;
        let entries: Vec<Value> = serde_json::from_slice(&text).map_err(|e| told(&e))?;
        let file = path.file_stem().unwrap_or_default().to_string_lossy();
        for entry in &entries {
            if let Some(Recorded { bytes, seeds }) =
                input.read(&file, entry).map_err(|e| told(&e))?
            {
                for seed in seeds {
                    recorded.entry(seed).or_default().extend(&bytes);
                }
            }
        }
    }
    Ok(recorded)
}
