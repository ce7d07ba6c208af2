//! The same work through gRPC: casts are a stream from the client, calls are requests of their own or share a stream in
//! both directions.

mod receiver;
mod sender;

use std::process::ExitCode;

mod generated {
    #![allow(clippy::all, unused_qualifications, elided_lifetimes_in_paths)]
    include!(concat!(env!("OUT_DIR"), "/speed.Counter.rs"));
}

/// What travels.
mod messages {
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Payload {
        #[prost(bytes = "vec", tag = "1")]
        pub what: Vec<u8>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Count {
        #[prost(uint64, tag = "1")]
        pub casts: u64,
    }
}

fn main() -> ExitCode {
    speed_harness::run::<receiver::Tonic, sender::Tonic>()
}
