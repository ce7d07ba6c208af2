//! The `shiome` binary.
fn main() {}
