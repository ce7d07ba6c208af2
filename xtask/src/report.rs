//! The one output contract of the tools that measure or check something: `--json FILE`.

use std::{fs, path::Path};

use serde::Serialize;
use serde_json::Value;

/// One thing measured or checked. A key that does not apply is null.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Row {
    /// What belongs together: mostly the task.
    pub(crate) group: String,
    /// What was measured, unique in its group.
    pub(crate) name: String,
    /// What came out.
    pub(crate) value: Value,
    /// Unit of `value`, `baseline_value` and `goal`.
    pub(crate) unit: Option<String>,
    /// What `value` is compared with.
    pub(crate) baseline: Option<String>,
    /// What came out there.
    pub(crate) baseline_value: Value,
    /// `value` / `baseline_value`.
    pub(crate) ratio: Option<f64>,
    /// What should come out.
    pub(crate) goal: Value,
    /// Whether the goal is reached; null when that could not be found out, for which `note` has the reason.
    pub(crate) holds: Option<bool>,
    /// What else a reader should know.
    pub(crate) note: Option<String>,
}

/// Writes `rows` as a JSON list.
///
/// # Errors
///
/// What to tell when the file cannot be written.
pub(crate) fn write(file: &Path, rows: &[Row]) -> Result<(), String> {
    let mut json = serde_json::to_string_pretty(rows).map_err(|e| e.to_string())?;
    json.push('\n');
    fs::write(file, json).map_err(|e| format!("{}: {e}", file.display()))
}
