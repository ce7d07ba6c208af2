//! What our engine promises, in simulated clusters.

mod chaos;
mod determinism;
mod safety;
mod support;
