//! What is measured, and how it is measured once.

use std::{collections::BTreeMap, path::Path, thread, time::Duration};

use super::{
    contender::Contender,
    process::{self, Process},
    programs::Programs,
};

/// One thing that all contenders do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) name: &'static str,
    pub(super) work: Work,
    pub(super) contenders: &'static [Contender],
    /// Where both processes run.
    pub(super) cores: Cores,
    pub(super) tls: bool,
    /// After how many casts the receiving actor rests, so that it is slower than who sends; 0: never.
    pub(super) rest_after: u64,
    /// Whether a short run has time for it.
    pub(super) quick: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Work {
    /// `count` casts of `len` bytes by as many tasks to as many actors, and a call to each after `every` of its own.
    Casts {
        senders: u64,
        count: u64,
        len: u64,
        every: u64,
    },
    /// `count` calls of `len` bytes by `callers` tasks to one actor.
    Calls { callers: u64, count: u64, len: u64 },
    /// Connects to a node with so many actors beside the few that always are.
    Connect { actors: u64, grouped: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cores {
    All,
    /// Both on the same one, so that nobody waits for a core to wake up.
    One,
}

/// What is read off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Metric {
    /// CPU time of both processes, of each message.
    Cpu,
    Rate,
    P50,
    P99,
    /// From the first step of connecting until all actors are known.
    Visible,
    /// Most memory of the process that sends or connects, over that before.
    SenderPeak,
    ReceiverPeak,
}

impl Metric {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Cpu => "CPU",
            Self::Rate => "rate",
            Self::P50 => "p50",
            Self::P99 => "p99",
            Self::Visible => "all visible",
            Self::SenderPeak => "memory of the sender",
            Self::ReceiverPeak => "memory of the receiver",
        }
    }

    pub(super) fn unit(self) -> &'static str {
        match self {
            Self::Cpu => "us/message",
            Self::Rate => "messages/s",
            Self::P50 | Self::P99 => "us",
            Self::Visible => "ms",
            Self::SenderPeak | Self::ReceiverPeak => "MiB",
        }
    }
}

/// What one measurement gave.
pub(super) type Sample = BTreeMap<Metric, f64>;

/// The processes come to rest before their times are read.
const REST: Duration = Duration::from_millis(20);

/// Messages before those that are measured, as a part of them.
const WARM_UP: u64 = 10;

const SHORTENED: u64 = 4;

const MICROS_PER_SECOND: f64 = 1e6;
const MICROS_PER_MILLI: f64 = 1e3;
const NANOS_PER_MICRO: f64 = 1e3;

impl Load {
    pub(super) fn metrics(&self) -> &'static [Metric] {
        use Metric::{Cpu, P50, P99, Rate, ReceiverPeak, SenderPeak, Visible};
        match self.work {
            Work::Casts { .. } => &[Cpu, Rate, SenderPeak, ReceiverPeak],
            Work::Calls { .. } => &[Cpu, Rate, P50, P99],
            Work::Connect { .. } => &[Visible, SenderPeak, ReceiverPeak],
        }
    }

    /// Starts two processes of the contender and measures them.
    ///
    /// # Errors
    ///
    /// What to tell when that is not possible.
    pub(super) fn measure(
        &self,
        programs: &Programs,
        contender: Contender,
        certificate: Option<&Path>,
        quick: bool,
    ) -> Result<Sample, String> {
        let start = || self.start(programs, contender, certificate);
        let (mut sender, mut receiver) = match self.cores {
            Cores::All => start()?,
            Cores::One => process::pinned(start)?,
        };
        if let Work::Connect { actors, grouped } = self.work {
            return connect(&mut sender, &mut receiver, actors, grouped);
        }
        sender.ask("connect 0")?;
        if self.rest_after > 0 {
            receiver.ask(&format!("rest-after {}", self.rest_after))?;
        }
        let before = (sender.memory()?, receiver.memory()?);
        // A queue that is to be long has to get all its messages.
        let shortened = if quick && !self.keeps_memory() {
            SHORTENED
        } else {
            1
        };
        let (warm_up, _) = self.command(contender, SHORTENED * WARM_UP);
        if !self.keeps_memory() {
            sender.ask(&warm_up)?;
        }
        thread::sleep(REST);
        let cpu = sender.cpu()? + receiver.cpu()?;
        let (command, count) = self.command(contender, shortened);
        let told = sender.ask(&command)?;
        thread::sleep(REST);
        let cpu = (sender.cpu()? + receiver.cpu()?).saturating_sub(cpu);
        let after = (sender.memory()?, receiver.memory()?);
        let [wall, latencies @ ..] = &told[..] else {
            return Err(format!("{command}: no figures"));
        };
        let mut sample = Sample::from([
            (Metric::Cpu, cpu.as_secs_f64() * MICROS_PER_SECOND / count),
            (Metric::Rate, count / wall * MICROS_PER_SECOND),
            (Metric::SenderPeak, after.0.over(before.0)),
            (Metric::ReceiverPeak, after.1.over(before.1)),
        ]);
        if let [p50, p99] = latencies {
            sample.insert(Metric::P50, p50 / NANOS_PER_MICRO);
            sample.insert(Metric::P99, p99 / NANOS_PER_MICRO);
        }
        Ok(sample)
    }

    fn start(
        &self,
        programs: &Programs,
        contender: Contender,
        certificate: Option<&Path>,
    ) -> Result<(Process, Process), String> {
        let start = |role: &[&str]| {
            let mut command = programs.command(contender.program())?;
            command.args(role);
            if self.tls {
                let dir = certificate.ok_or("there is no certificate")?;
                command.arg("--tls").arg(dir);
            }
            Process::start(&mut command)
        };
        let (receiver, port) = start(&["receive"])?;
        let (sender, _) = start(&["send", &format!("127.0.0.1:{port}")])?;
        Ok((sender, receiver))
    }

    /// What is asked for, and how many messages that is.
    fn command(&self, contender: Contender, shortened: u64) -> (String, f64) {
        let handle = contender.handle();
        match self.work {
            Work::Casts {
                senders,
                count,
                len,
                every,
            } => {
                let count = even(contender.share(count) / shortened, senders);
                let command = format!("casts {handle} {senders} {count} {len} {every}");
                (command, count as f64)
            }
            Work::Calls {
                callers,
                count,
                len,
            } => {
                let count = even(contender.share(count) / shortened, callers);
                (
                    format!("calls {handle} {callers} {count} {len}"),
                    count as f64,
                )
            }
            Work::Connect { .. } => ("connect 0".to_owned(), 1.0),
        }
    }

    /// Whether memory is what counts, which no message before should have grown.
    fn keeps_memory(&self) -> bool {
        self.name == PEAK_MEMORY || self.name == PEAK_MEMORY_SLOW
    }
}

pub(super) const PEAK_MEMORY: &str = "100k casts of 4 KiB at once";

pub(super) const PEAK_MEMORY_SLOW: &str = "the same to a slower actor";

/// At least one for each, and as many for each.
fn even(count: u64, parts: u64) -> u64 {
    (count / parts).max(1) * parts
}

fn connect(
    sender: &mut Process,
    receiver: &mut Process,
    actors: u64,
    grouped: bool,
) -> Result<Sample, String> {
    let (place, members) = if grouped {
        ("group", actors)
    } else {
        ("alone", 0)
    };
    receiver.ask(&format!("spawn {actors} {place}"))?;
    let before = (sender.memory()?, receiver.memory()?);
    let told = sender.ask(&format!("connect {members}"))?;
    let [_ready, visible] = told[..] else {
        return Err("connect: no figures".to_owned());
    };
    let after = (sender.memory()?, receiver.memory()?);
    Ok(Sample::from([
        (Metric::Visible, visible / MICROS_PER_MILLI),
        (Metric::SenderPeak, after.0.over(before.0)),
        (Metric::ReceiverPeak, after.1.over(before.1)),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_share_evenly() {
        assert_eq!(even(100, 8), 96);
        assert_eq!(even(3, 8), 8);
        assert_eq!(even(0, 1), 1);
    }
}
