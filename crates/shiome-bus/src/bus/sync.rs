//! The locks of the [`registry`](super::registry), apart so that its test can bring others.

pub(crate) use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
