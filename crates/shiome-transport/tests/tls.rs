//! TLS between nodes: who is believed, who is refused, and when.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod tls {
    mod authority;
    mod clients;
    mod ends;
    mod handshake;
    mod pins;
    mod reload;
    mod resumption;
    mod servers;
}
