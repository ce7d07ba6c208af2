//! `record_native`: prints the recording of today's native handshake, `tests/vectors/native-1.json`.
#![allow(clippy::print_stdout, reason = "a tool for the terminal")]

fn main() {
    print!("{}", shiome_tests::vectors::record_native());
}
