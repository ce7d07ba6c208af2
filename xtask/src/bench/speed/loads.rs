//! All that is measured.

use super::{
    contender::Contender::{
        self, ActorRef, Erlang, Floor, Kameo, RemoteRef, Shiome, TonicBidi, TonicStream,
        TonicUnary, V0_15, V0_16,
    },
    load::{Cores, Load, PEAK_MEMORY, PEAK_MEMORY_SLOW, Work},
};

const CASTS: &[Contender] = &[
    ActorRef,
    RemoteRef,
    V0_16,
    V0_15,
    Floor,
    TonicStream,
    Kameo,
    Erlang,
];

const CALLS: &[Contender] = &[
    ActorRef, RemoteRef, V0_16, V0_15, Floor, TonicBidi, TonicUnary, Kameo, Erlang,
];

const CLUSTERS: &[Contender] = &[Shiome, V0_16, V0_15];

const HANDLES: &[Contender] = &[ActorRef, RemoteRef, V0_16];

const ENCRYPTED: &[Contender] = &[ActorRef, RemoteRef, V0_16, Floor];

const BASE: Load = Load {
    name: "",
    work: Work::Connect {
        actors: 0,
        grouped: false,
    },
    contenders: CASTS,
    cores: Cores::All,
    tls: false,
    rest_after: 0,
    quick: true,
};

const fn casts(name: &'static str, senders: u64, count: u64, len: u64, every: u64) -> Load {
    let work = Work::Casts {
        senders,
        count,
        len,
        every,
    };
    Load { name, work, ..BASE }
}

const fn calls(name: &'static str, callers: u64, count: u64, cores: Cores) -> Load {
    let len = CALL_LEN;
    Load {
        name,
        work: Work::Calls {
            callers,
            count,
            len,
        },
        contenders: CALLS,
        cores,
        ..BASE
    }
}

const fn connect(name: &'static str, actors: u64, grouped: bool, quick: bool) -> Load {
    Load {
        name,
        work: Work::Connect { actors, grouped },
        contenders: CLUSTERS,
        quick,
        ..BASE
    }
}

/// Bytes of a call and of its reply.
const CALL_LEN: u64 = 64;

/// A task waits for its casts after so many when queues are to stay short.
const SHORT_QUEUE: u64 = 1000;

pub(super) const LOADS_OF_CASTS: &[Load] = &[
    casts("16 B", 1, 200_000, 16, 0),
    casts("256 B", 1, 200_000, 256, 0),
    casts("4 KiB", 1, 50_000, 4096, 0),
    casts("4 KiB, short queue", 1, 50_000, 4096, SHORT_QUEUE),
    casts("64 KiB", 1, 4_000, 65_536, 0),
    casts("256 B, 8 to 8", 8, 200_000, 256, 0),
];

pub(super) const LOADS_OF_CALLS: &[Load] = &[
    calls("sequential, one core", 1, 10_000, Cores::One),
    calls("sequential", 1, 10_000, Cores::All),
    calls("64 at a time", 64, 64_000, Cores::All),
];

pub(super) const LOADS_OF_CONNECT: &[Load] = &[
    connect("1 in a group", 1, true, true),
    connect("1k in a group", 1_000, true, true),
    connect("10k in a group", 10_000, true, true),
    connect("100k in a group", 100_000, true, false),
    connect("1 announced", 1, false, true),
    connect("1k announced", 1_000, false, true),
    connect("10k announced", 10_000, false, true),
    connect("100k announced", 100_000, false, true),
];

/// Casts between two rests of an actor that is slower than its senders: it takes some 25 to 50 thousand a second.
const BETWEEN_RESTS: u64 = 50;

pub(super) const LOADS_OF_MEMORY: &[Load] = &[
    Load {
        contenders: HANDLES,
        ..casts(PEAK_MEMORY, 1, 100_000, 4096, 0)
    },
    Load {
        contenders: HANDLES,
        rest_after: BETWEEN_RESTS,
        ..casts(PEAK_MEMORY_SLOW, 1, 100_000, 4096, 0)
    },
];

pub(super) const LOADS_OF_TLS: &[Load] = &[
    Load {
        tls: true,
        contenders: ENCRYPTED,
        ..casts("256 B", 1, 100_000, 256, 0)
    },
    Load {
        tls: true,
        contenders: ENCRYPTED,
        ..casts("64 KiB", 1, 2_000, 65_536, 0)
    },
];
