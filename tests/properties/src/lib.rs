//! What holds for any input from a peer, one function a target.
//!
//! A function panics when something does not hold. The fuzz targets in `tests/fuzz` call it with what they think up, and
//! the test of this package with the corpus, on any toolchain. The input is what a peer sends, or a script that
//! says what happens when.

mod address;
mod bus;
mod frame_decoder;
mod gossip;
mod gossip_compact;
mod handshake;
mod handshake_script;
mod memory;
mod messages;
mod node_name;
mod pieces;
mod script;
mod session;
mod session_script;
mod swim;
mod trace_context;
mod webrtc;
mod websocket;

pub use self::{
    address::address,
    bus::{bus_binary, bus_json, bus_link_script},
    frame_decoder::frame_decoder,
    gossip::gossip,
    gossip_compact::gossip_compact,
    handshake::handshake,
    handshake_script::handshake_script,
    messages::messages,
    node_name::node_name,
    session::session,
    session_script::session_script,
    swim::swim,
    trace_context::trace_context,
    webrtc::{rtc_chunks, rtc_signal},
    websocket::{websocket_accept, websocket_connect, websocket_frames},
};

/// A fuzz target: its name, and what holds for any of its inputs.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 20] = [
    ("address", address),
    ("bus_binary", bus_binary),
    ("bus_json", bus_json),
    ("bus_link_script", bus_link_script),
    ("frame_decoder", frame_decoder),
    ("gossip", gossip),
    ("gossip_compact", gossip_compact),
    ("handshake", handshake),
    ("handshake_script", handshake_script),
    ("messages", messages),
    ("node_name", node_name),
    ("rtc_chunks", rtc_chunks),
    ("rtc_signal", rtc_signal),
    ("session", session),
    ("session_script", session_script),
    ("swim", swim),
    ("trace_context", trace_context),
    ("websocket_accept", websocket_accept),
    ("websocket_connect", websocket_connect),
    ("websocket_frames", websocket_frames),
];
