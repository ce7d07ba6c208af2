//! `shiome-gossip` against the published `ember-cluster`: 0.2.1, which speaks the base set, and 0.4.9.
//!
//! The messages of 0.4.9 are the common tongue: [`ours`] and [`old`] translate to and from them.

pub mod messages;
pub mod old;
pub mod ours;
pub mod random;
