//! Whole handshakes of one version of the native protocol, frame by frame: `{"name", "cookie", "channel_binding",
//! "status", "client", "server", "frames", "agreed"}`.
//!
//! A node of an older version is a recording here: today's handshake plays one end of it, is given the recorded frames
//! of the other, and must say what was said then. An end without `announce` is a node from before there was anything to
//! announce, or a published one. Bytes are hex.

mod record;
mod replay;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{FileReport, Format};

pub use record::record;

pub(super) const FORMAT: Format = Format {
    name: "native handshake",
    required: &[
        "name",
        "cookie",
        "channel_binding",
        "status",
        "client",
        "server",
        "frames",
        "agreed",
    ],
    optional: &["note"],
    check,
};

/// One handshake.
#[derive(Serialize, Deserialize)]
struct Entry {
    name: String,
    cookie: String,
    /// Of both ends; empty: none.
    channel_binding: String,
    /// What the server answers the Name with; after 4 the client goes on.
    status: i32,
    client: End,
    server: End,
    frames: Vec<Frame>,
    /// Null: the ends take each other for published nodes.
    agreed: Option<Agreed>,
}

/// What one end says, and draws.
#[derive(Serialize, Deserialize)]
struct End {
    name: String,
    connection_string: String,
    challenge: u32,
    /// Of the connection; a server draws none.
    connection_id: u64,
    announce: Option<Announced>,
}

#[derive(Serialize, Deserialize)]
struct Announced {
    capabilities: u64,
    incarnation: u64,
    nonce: String,
    max_frame_len: u64,
    max_message_len: u64,
    max_reassembly_len: u64,
    window: u64,
}

/// One frame, with its length before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Frame {
    from: Speaker,
    hex: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Speaker {
    Client,
    Server,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Agreed {
    version: u32,
    capabilities: u64,
}

fn check(entries: &[Value], report: &mut FileReport) {
    report.each(
        entries,
        |entry: &Entry| entry.name.clone(),
        |entry| {
            for played in [Speaker::Client, Speaker::Server] {
                replay::replay(entry, played)
                    .map_err(|problem| format!("{played:?}: {problem}"))?;
            }
            Ok(())
        },
    );
}
