//! The codec as its users see it.
#![allow(clippy::unwrap_used, reason = "support code of tests")]

#[cfg(feature = "hmac")]
mod authenticated;
mod broken;
mod compact;
mod packer;
mod properties;
mod support;
mod vectors;
