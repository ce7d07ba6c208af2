//! x
#![allow(missing_docs, dead_code, unused)]
mod security;
mod state;
pub use security::*;
