//! The attacks, as the program tells of them.

use std::path::Path;

use serde_json::Value;

use super::party;

/// One attack, with its bounds.
#[derive(Debug, Clone)]
pub(super) struct Attack {
    pub(super) name: String,
    pub(super) about: String,
    /// How long it lasts at full size.
    pub(super) millis: u64,
    /// Memory that the victim may take beyond what it had.
    pub(super) peak_mib: u64,
    /// Listener of the victim that is attacked, and that newcomers dial.
    pub(super) door: String,
    /// Whether newcomers have to get in, and the good peer's session to stay.
    pub(super) newcomers: bool,
    pub(super) session: bool,
}

/// All of them.
pub(super) fn list(program: &Path) -> Result<Vec<Attack>, String> {
    let told = party::run(program, &["list"])?;
    let told: Vec<Value> = serde_json::from_str(&told).map_err(|e| e.to_string())?;
    Ok(told.iter().map(Attack::from).collect())
}

impl From<&Value> for Attack {
    fn from(told: &Value) -> Self {
        let text = |key: &str| told[key].as_str().unwrap_or_default().to_owned();
        let given_up = text("given_up");
        Self {
            name: text("name"),
            about: text("about"),
            millis: told["millis"].as_u64().unwrap_or_default(),
            peak_mib: told["peak_mib"].as_u64().unwrap_or_default(),
            door: text("door"),
            newcomers: given_up == "nothing",
            session: given_up != "session",
        }
    }
}
