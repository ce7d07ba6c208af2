//! Support code of the cross-crate tests.

pub mod vectors;
