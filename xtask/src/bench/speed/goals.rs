//! What should come out.

use super::{
    contender::Contender::{
        self, ActorRef, Erlang, Floor, RemoteRef, Shiome, TonicBidi, TonicStream, V0_16,
    },
    load::{
        Metric::{self, Cpu, P50, P99, Rate, ReceiverPeak, SenderPeak, Visible},
        PEAK_MEMORY, PEAK_MEMORY_SLOW,
    },
};
use crate::peers::figures::Goal::{self, AtLeast, AtMost};

/// A figure of ours that is judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Aim {
    pub(super) load: &'static str,
    pub(super) who: Contender,
    pub(super) metric: Metric,
    pub(super) than: Than,
}

/// What the figure is compared with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Than {
    /// So many times that of another.
    Times(Goal, Contender),
    /// This, in the unit of the metric.
    Fixed(Goal),
}

const fn times(
    load: &'static str,
    who: Contender,
    metric: Metric,
    goal: Goal,
    other: Contender,
) -> Aim {
    Aim {
        load,
        who,
        metric,
        than: Than::Times(goal, other),
    }
}

const fn fixed(load: &'static str, who: Contender, metric: Metric, goal: Goal) -> Aim {
    Aim {
        load,
        who,
        metric,
        than: Than::Fixed(goal),
    }
}

pub(super) const AIMS_OF_CASTS: &[Aim] = &[
    times("16 B", ActorRef, Cpu, AtMost(0.22), V0_16),
    times("16 B", ActorRef, Cpu, AtMost(3.0), Floor),
    times("16 B", ActorRef, Rate, AtLeast(4.5), V0_16),
    times("16 B", ActorRef, Rate, AtLeast(1.5), Erlang),
    times("16 B", RemoteRef, Cpu, AtMost(0.14), V0_16),
    times("16 B", RemoteRef, Cpu, AtMost(2.0), Floor),
    times("16 B", RemoteRef, Rate, AtLeast(7.0), V0_16),
    times("16 B", RemoteRef, Rate, AtLeast(0.8), TonicStream),
    times("256 B", ActorRef, Cpu, AtMost(0.22), V0_16),
    times("256 B", ActorRef, Cpu, AtMost(3.0), Floor),
    times("256 B", ActorRef, Rate, AtLeast(4.5), V0_16),
    times("256 B", ActorRef, Rate, AtLeast(1.5), Erlang),
    times("256 B", RemoteRef, Cpu, AtMost(0.14), V0_16),
    times("256 B", RemoteRef, Cpu, AtMost(2.0), Floor),
    times("256 B", RemoteRef, Rate, AtLeast(7.0), V0_16),
    times("256 B", RemoteRef, Rate, AtLeast(0.8), TonicStream),
    times("4 KiB, short queue", ActorRef, Cpu, AtMost(0.4), V0_16),
    times("4 KiB, short queue", ActorRef, Cpu, AtMost(1.4), Floor),
    times("4 KiB, short queue", ActorRef, Rate, AtLeast(2.2), V0_16),
    times(
        "4 KiB, short queue",
        ActorRef,
        Rate,
        AtLeast(1.0),
        TonicStream,
    ),
    times("4 KiB, short queue", RemoteRef, Cpu, AtMost(0.4), V0_16),
    times("4 KiB, short queue", RemoteRef, Cpu, AtMost(1.4), Floor),
    times("4 KiB, short queue", RemoteRef, Rate, AtLeast(2.2), V0_16),
    times(
        "4 KiB, short queue",
        RemoteRef,
        Rate,
        AtLeast(1.0),
        TonicStream,
    ),
    times("64 KiB", ActorRef, Cpu, AtMost(0.45), V0_16),
    times("64 KiB", ActorRef, Cpu, AtMost(1.5), Floor),
    times("64 KiB", ActorRef, Rate, AtLeast(2.3), V0_16),
    times("64 KiB", ActorRef, Rate, AtLeast(1.0), TonicStream),
    times("64 KiB", RemoteRef, Cpu, AtMost(0.45), V0_16),
    times("64 KiB", RemoteRef, Cpu, AtMost(1.5), Floor),
    times("64 KiB", RemoteRef, Rate, AtLeast(2.3), V0_16),
    times("64 KiB", RemoteRef, Rate, AtLeast(1.0), TonicStream),
    times("256 B, 8 to 8", ActorRef, Rate, AtLeast(5.0), V0_16),
    times("256 B, 8 to 8", RemoteRef, Rate, AtLeast(5.0), V0_16),
];

pub(super) const AIMS_OF_CALLS: &[Aim] = &[
    times("sequential, one core", ActorRef, P50, AtMost(0.5), V0_16),
    times(
        "sequential, one core",
        ActorRef,
        P50,
        AtMost(1.0),
        TonicBidi,
    ),
    times("sequential, one core", ActorRef, P99, AtMost(0.5), V0_16),
    times(
        "sequential, one core",
        ActorRef,
        P99,
        AtMost(1.0),
        TonicBidi,
    ),
    times("sequential, one core", RemoteRef, P50, AtMost(0.5), V0_16),
    times(
        "sequential, one core",
        RemoteRef,
        P50,
        AtMost(1.0),
        TonicBidi,
    ),
    times("sequential, one core", RemoteRef, P99, AtMost(0.5), V0_16),
    times(
        "sequential, one core",
        RemoteRef,
        P99,
        AtMost(1.0),
        TonicBidi,
    ),
    times("sequential", ActorRef, P50, AtMost(0.5), V0_16),
    times("sequential", ActorRef, P50, AtMost(1.0), TonicBidi),
    times("sequential", ActorRef, P99, AtMost(0.5), V0_16),
    times("sequential", ActorRef, P99, AtMost(1.0), TonicBidi),
    times("sequential", RemoteRef, P50, AtMost(0.5), V0_16),
    times("sequential", RemoteRef, P50, AtMost(1.0), TonicBidi),
    times("sequential", RemoteRef, P99, AtMost(0.5), V0_16),
    times("sequential", RemoteRef, P99, AtMost(1.0), TonicBidi),
    times("64 at a time", ActorRef, Rate, AtLeast(3.0), V0_16),
    times("64 at a time", RemoteRef, Rate, AtLeast(6.0), V0_16),
    times("64 at a time", RemoteRef, Rate, AtLeast(1.0), TonicBidi),
];

pub(super) const AIMS_OF_CONNECT: &[Aim] = &[
    times("10k in a group", Shiome, Visible, AtMost(0.5), V0_16),
    times("10k in a group", Shiome, SenderPeak, AtMost(0.4), V0_16),
    times("10k announced", Shiome, Visible, AtMost(0.1), V0_16),
    times("10k announced", Shiome, SenderPeak, AtMost(0.05), V0_16),
    fixed("100k announced", Shiome, SenderPeak, AtMost(25.0)),
];

/// What the outbox of a link holds by default, and 16 for everything else, in MiB.
const MAX_PEAK_MIB: f64 = 64.0 + 16.0;

/// What a peer may have in the mailboxes of actors by default, and 16 for everything else, in MiB.
const MAX_UNTAKEN_PEAK_MIB: f64 = 4.0 + 16.0;

pub(super) const AIMS_OF_MEMORY: &[Aim] = &[
    fixed(PEAK_MEMORY, RemoteRef, SenderPeak, AtMost(MAX_PEAK_MIB)),
    fixed(PEAK_MEMORY, RemoteRef, ReceiverPeak, AtMost(MAX_PEAK_MIB)),
    fixed(
        PEAK_MEMORY_SLOW,
        RemoteRef,
        SenderPeak,
        AtMost(MAX_PEAK_MIB),
    ),
    fixed(
        PEAK_MEMORY_SLOW,
        RemoteRef,
        ReceiverPeak,
        AtMost(MAX_UNTAKEN_PEAK_MIB),
    ),
];

pub(super) const AIMS_OF_TLS: &[Aim] = &[
    times("64 KiB", ActorRef, Rate, AtLeast(2.0), V0_16),
    times("64 KiB", ActorRef, Rate, AtLeast(0.6), Floor),
    times("64 KiB", RemoteRef, Rate, AtLeast(2.0), V0_16),
    times("64 KiB", RemoteRef, Rate, AtLeast(0.6), Floor),
];
