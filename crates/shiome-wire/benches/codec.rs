//! What a frame costs, beside prost's generated code alone: `cargo bench -p shiome-wire`.
//!
//! Each line is the median and the minimum of some samples, in nanoseconds a message, with everything that this crate
//! adds to prost: the length prefix, the limits, the way out of a stream. What is compared encodes into a buffer that is
//! there, and decodes a body that lies alone.
#![allow(clippy::print_stdout, reason = "a tool for the terminal")]
#![allow(clippy::unwrap_used, reason = "what is measured has been tested")]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use prost::Message;
use shiome_wire::{
    FrameDecoder, Frames, LENGTH_PREFIX_LEN, MAX_FRAME_LEN, control, encode, meta,
    node::{self, node_message::Msg},
};

const SAMPLES: usize = 31;
const SAMPLE: Duration = Duration::from_millis(5);

/// Bytes of frames that are encoded or decoded in a row, about: what a link reads or writes at a time.
const BATCH_LEN: usize = 64 * 1024;

fn main() {
    for len in [16, 256, 4096, 65_536] {
        report(&format!("cast, {len} B"), &cast(len));
    }
    report("call, 64 B", &call(64));
    report("reply, 64 B", &reply(64));
    for count in [1, 1000] {
        report(&format!("spawn, {count} actors"), &spawn(count));
    }
}

fn report(name: &str, message: &meta::NetworkMessage) {
    let frame_len = LENGTH_PREFIX_LEN + message.encoded_len();
    let count = (BATCH_LEN / frame_len).max(1);
    let mut buf = BytesMut::with_capacity(count * frame_len);
    let line = |what: &str, (median, min): (f64, f64)| {
        println!("{name:20} {frame_len:6} B  {what:14} {median:9.1} ({min:.1})");
    };
    line(
        "encode",
        measure(count, || {
            buf.clear();
            for _ in 0..count {
                encode(black_box(message), MAX_FRAME_LEN, &mut buf).unwrap();
            }
            buf.len()
        }),
    );
    let stream = buf.split().freeze();
    buf.reserve(stream.len());
    line(
        "encode, prost",
        measure(count, || {
            buf.clear();
            for _ in 0..count {
                black_box(message).encode(&mut buf).unwrap();
            }
            buf.len()
        }),
    );
    line("decode", measure(count, || take_all(&stream, count)));
    if let Some(msg) = message.clone().into_node() {
        line("push", measure(count, || push_all(&msg, count)));
        line(
            "take in place",
            measure(count, || take_in_place(&stream, count)),
        );
    }
    let body = stream.slice(LENGTH_PREFIX_LEN..frame_len);
    line(
        "decode, prost",
        measure(count, || {
            let bodies = (0..count).map(|_| black_box(&body).clone());
            bodies
                .map(|body| size_of_val(&meta::NetworkMessage::decode(body).unwrap()))
                .sum()
        }),
    );
}

/// Takes all frames out of a stream that arrives at once, and decodes them.
fn take_all(stream: &Bytes, count: usize) -> usize {
    let mut decoder = FrameDecoder::new(MAX_FRAME_LEN);
    decoder.extend(black_box(stream));
    let mut sum = 0;
    for _ in 0..count {
        let frame = decoder.next_frame().unwrap().unwrap();
        sum += size_of_val(&frame.decode().unwrap());
    }
    sum
}

/// What a session does with what waits, and a link with what leaves: a message between actors is put into [`Frames`], moved
/// to others, and leaves.
fn push_all(msg: &Msg, count: usize) -> usize {
    let (mut waiting, mut leaving) = (Frames::new(), Frames::new());
    for _ in 0..count {
        match black_box(msg).clone() {
            Msg::Cast(cast) => waiting.push(cast),
            Msg::Call(call) => waiting.push(call),
            Msg::Reply(reply) => waiting.push(reply),
        }
    }
    waiting.move_to(waiting.len(), &mut leaving);
    leaving.len()
}

/// Decodes messages between actors where they lie, out of a stream that arrives at once.
fn take_in_place(stream: &Bytes, count: usize) -> usize {
    let mut decoder = FrameDecoder::new(MAX_FRAME_LEN);
    decoder.extend(black_box(stream));
    let taken = (0..count).map(|_| decoder.next_node_message().unwrap());
    taken.map(|msg| size_of_val(&msg)).sum()
}

/// Median and minimum, in nanoseconds a message, of `run`, which is about so many.
fn measure(messages: usize, mut run: impl FnMut() -> usize) -> (f64, f64) {
    let mut runs = 1;
    let mut sample = |runs: u32| {
        let start = Instant::now();
        for _ in 0..runs {
            black_box(run());
        }
        start.elapsed()
    };
    while sample(runs) < SAMPLE {
        runs *= 2;
    }
    let mut samples: Vec<_> = (0..SAMPLES)
        .map(|_| sample(runs).as_secs_f64() * 1e9 / f64::from(runs) / messages as f64)
        .collect();
    samples.sort_by(f64::total_cmp);
    (samples[SAMPLES / 2], samples[0])
}

fn cast(len: usize) -> meta::NetworkMessage {
    node::Cast {
        to: 1234,
        what: vec![7; len].into(),
        variant: "Put".into(),
        metadata: None,
    }
    .into()
}

fn call(len: usize) -> meta::NetworkMessage {
    node::Call {
        to: 1234,
        what: vec![7; len].into(),
        tag: 56_789,
        timeout_ms: Some(60_000),
        variant: "Echo".into(),
        metadata: None,
    }
    .into()
}

fn reply(len: usize) -> meta::NetworkMessage {
    node::CallReply {
        to: 1234,
        tag: 56_789,
        what: vec![7; len].into(),
    }
    .into()
}

fn spawn(count: u64) -> meta::NetworkMessage {
    let actors = (1..=count).map(|pid| control::Actor { pid, name: None });
    control::Spawn {
        actors: actors.collect(),
    }
    .into()
}
