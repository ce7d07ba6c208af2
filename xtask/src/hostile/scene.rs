//! One run of one attack.

use std::{
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use super::{
    attack::Attack,
    party::Party,
    reading::{Counts, Reading},
    vitals::{self, Vitals},
};

/// Where and how attacks are run.
pub(super) struct Scene<'a> {
    pub(super) program: &'a Path,
    /// Where the certificates lie.
    pub(super) dir: &'a Path,
    pub(super) pace: Pace,
    pub(super) seed: u64,
}

/// How much time is taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// For the good peer to come into its stride.
    warm: Duration,
    /// For calls before the attack, to compare with.
    calm: Duration,
    /// For an attack; `None`: as long as it says.
    attack: Option<Duration>,
    /// Whether it is all to be small.
    small: bool,
}

impl Pace {
    pub(super) const FULL: Self = Self {
        warm: Duration::from_millis(500),
        calm: Duration::from_millis(2000),
        attack: None,
        small: false,
    };
    pub(super) const QUICK: Self = Self {
        warm: Duration::from_millis(50),
        calm: Duration::from_millis(100),
        attack: Some(Duration::from_millis(250)),
        small: true,
    };
}

/// For the victim to be as it was: connections of attackers that vanish have their deadlines.
const SETTLE: Duration = Duration::from_secs(16);

/// Longer than any attack, and what it does when it is over.
const ATTACK_PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// Between two newcomers.
const NEXT_NEWCOMER: Duration = Duration::from_millis(200);

/// How often an attack is run again whose times say nothing.
const MAX_REPEATS: usize = 2;

/// Open files that may come and go without an attack.
const FILES_SLACK: usize = 1;

impl Scene<'_> {
    /// Runs an attack, and again when its times were bad while other programs took the processors.
    ///
    /// # Errors
    ///
    /// What to tell when it came to nothing, for instance because the victim died.
    pub(super) fn measure(&self, attack: &Attack, round: u64) -> Result<Reading, String> {
        let mut reading = self.run(attack, round)?;
        for _ in 0..MAX_REPEATS {
            if self.pace.small || !reading.is_disturbed() || !reading.is_late(attack) {
                break;
            }
            reading = self.run(attack, round)?;
        }
        Ok(reading)
    }

    fn run(&self, attack: &Attack, round: u64) -> Result<Reading, String> {
        let dir = self.dir.to_string_lossy();
        let mut victim = Party::start(self.program, &["victim", "--dir", &dir])?;
        let doors = victim.next()?;
        let door = |name: &str| doors[name].as_str().unwrap_or_default().to_owned();
        let (tcp, tls, ws) = (door("tcp"), door("tls"), door("ws"));
        let mut good = Party::start(self.program, &["good", "--dir", &dir, "--connect", &tcp])?;
        good.next()?;
        sleep(self.pace.warm);
        good.ask("window")?;
        sleep(self.pace.calm);
        let mut reading = Reading {
            calm: (&good.ask("window")?).into(),
            before: Vitals::of(victim.pid())?,
            counts_before: victim.ask("counts")?.into(),
            ..Reading::default()
        };
        let millis = self
            .pace
            .attack
            .map_or(attack.millis, |time| time.as_millis() as u64);
        let seed = self.seed.wrapping_add(round << 32);
        let (millis, seed) = (millis.to_string(), seed.to_string());
        let mut args = vec!["attack", &attack.name, "--dir", &dir];
        args.extend(["--tcp", &tcp, "--tls", &tls, "--ws", &ws]);
        args.extend(["--seed", &seed, "--millis", &millis]);
        if self.pace.small {
            args.push("--small");
        }
        let attacker = Party::start(self.program, &args)?;
        let mut load = Load::new([victim.pid(), good.pid(), attacker.pid()]);
        let join = match attack.door.as_str() {
            "tls" => format!("tls://{tls}"),
            "ws" => format!("ws://{ws}/cluster"),
            _ => tcp.clone(),
        };
        let join = (attack.newcomers || !self.pace.small).then_some(join);
        self.watch(
            &mut victim,
            attacker,
            join.as_deref(),
            &mut load,
            &mut reading,
        )?;
        reading.others = load.of_others();
        reading.end = Vitals::of(victim.pid())?;
        reading.calls = (&good.ask("window")?).into();
        self.settle(&mut victim, &mut reading)?;
        let errors = victim.errors();
        if errors.contains("panicked") {
            reading.panics = errors;
        }
        Ok(reading)
    }

    /// Lets newcomers join there until the attack is over.
    fn watch(
        &self,
        victim: &mut Party,
        mut attacker: Party,
        join: Option<&str>,
        load: &mut Load,
        reading: &mut Reading,
    ) -> Result<(), String> {
        let dir = self.dir.to_string_lossy();
        let begun = Instant::now();
        let mut newcomer: Option<Party> = None;
        let mut next = begun;
        let mut over = false;
        // One at least comes, however soon the attack is over.
        let mut nobody_yet = join.is_some();
        while !over || newcomer.is_some() || nobody_yet {
            if begun.elapsed() > ATTACK_PATIENCE {
                return Err("the attack does not end".to_owned());
            }
            load.look();
            reading.files_peak = reading.files_peak.max(vitals::files(victim.pid()));
            if !over && let Some(told) = attacker.next_within(LOOK)? {
                if let Some(command) = told["ask"].as_str() {
                    victim.ask(command)?;
                } else {
                    reading.take_tally(&told);
                    over = true;
                }
            }
            match &mut newcomer {
                Some(party) => {
                    let wait = if over { LOOK } else { Duration::ZERO };
                    if let Some(told) = party.next_within(wait)? {
                        match told["join_ms"].as_f64() {
                            Some(millis) => reading.joins_ms.push(millis),
                            None => reading.shut_out.push(told["problem"].to_string()),
                        }
                        newcomer = None;
                        next = Instant::now() + NEXT_NEWCOMER;
                    }
                }
                None if let Some(join) = join
                    && (nobody_yet || !over && Instant::now() >= next) =>
                {
                    nobody_yet = false;
                    let args = ["newcomer", "--dir", &dir, "--connect", join];
                    newcomer = Some(Party::start(self.program, &args)?);
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Waits until the victim is as it was before, or that has taken too long.
    fn settle(&self, victim: &mut Party, reading: &mut Reading) -> Result<(), String> {
        let begun = Instant::now();
        let before = &reading.counts_before;
        loop {
            let counts = Counts::from(victim.ask("counts")?);
            let files = vitals::files(victim.pid());
            let settled = files <= reading.before.files + FILES_SLACK
                && counts.sessions <= before.sessions
                && counts.actors <= before.actors
                && counts.groups <= before.groups;
            if settled || begun.elapsed() > SETTLE {
                reading.settled_s = settled.then(|| begun.elapsed().as_secs_f64());
                reading.after = Vitals::of(victim.pid())?;
                reading.counts_after = counts;
                return Ok(());
            }
            sleep(LOOK);
        }
    }
}

/// Who takes the processors.
struct Load {
    since: Instant,
    machine_s: Option<f64>,
    /// Our own processes, and what each has taken before and so far.
    own: [(u32, f64, f64); 3],
}

impl Load {
    fn new(pids: [u32; 3]) -> Self {
        let own = pids.map(|pid| {
            let taken = Vitals::of(pid).unwrap_or_default().cpu_s;
            (pid, taken, taken)
        });
        Self {
            since: Instant::now(),
            machine_s: vitals::machine_s(),
            own,
        }
    }

    /// Takes down what there is to know of processes that may be about to end.
    fn look(&mut self) {
        for (pid, _, taken) in &mut self.own {
            if let Ok(vitals) = Vitals::of(*pid) {
                *taken = vitals.cpu_s.max(*taken);
            }
        }
    }

    /// What others took, in processors; 0 where that is not told.
    fn of_others(&self) -> f64 {
        let Some((before, now)) = self.machine_s.zip(vitals::machine_s()) else {
            return 0.0;
        };
        let own: f64 = self.own.iter().map(|(_, before, now)| now - before).sum();
        (now - before - own).max(0.0) / self.since.elapsed().as_secs_f64()
    }
}
