mod accept;
mod connect;
mod frames;
mod model;
mod wire;

pub use self::{accept::websocket_accept, connect::websocket_connect, frames::websocket_frames};
