//! The binary, as its users run it. Signals are sent by the means of Unix.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod cli {
    mod cert;
    mod config;
    mod decode;
    mod demo;
    mod gossip;
    mod guest;
    mod metrics;
    mod node;
    mod operation;
    #[cfg(feature = "otlp")]
    mod otlp;
    mod sessions;
    mod support;
    mod terminal;
    mod tls;
    mod user;
}
