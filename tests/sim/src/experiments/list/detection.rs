//! Who is taken for dead, and when.

use super::{DEFAULT, FAST, percent};
use crate::{
    experiments::{Cell, Scale},
    network::{Bursts, Conditions},
    pause::{Pause, Wake},
    scenarios::{
        Game,
        anomalies::{self, Anomalies},
        crash::{self, Crash},
        steady::{self, Steady},
    },
    time::{SECOND, Time},
};

/// Our engine with reliable pings.
const RELIABLE: &str = "shiome, reliable pings";

/// The tables of the Lifeguard paper, with our engine in all roles, and the engines of others.
const ABLATION: &[&str] = &[
    DEFAULT,
    FAST,
    "SWIM",
    "LHA-Probe",
    "LHA-Suspicion",
    "Lifeguard 5 6 3",
    "Lifeguard 4 6 3",
    "Lifeguard 2 6 3",
    "Lifeguard 3 8 4",
    "foca",
    "foca, notify_down off",
];

pub(super) fn crash(scale: Scale) -> Vec<Cell> {
    // Size, most seconds for the fast and the default setting.
    const GOALS: [(u32, f64, f64); 4] = [
        (100, 6.5, 8.6),
        (256, 7.3, 9.5),
        (1_000, 8.5, 11.0),
        (10_000, 11.0, 13.0),
    ];
    let mut cells = Vec::new();
    for (size, fast, default) in GOALS {
        for loss in [0.0, 0.1] {
            let is_large = size > 1_000;
            if is_large && loss > 0.0 && !scale.is_full {
                continue;
            }
            let seeds = match size {
                0..=256 => scale.seeds(30, 100),
                257..=1_000 => scale.seeds(10, 30),
                _ => scale.seeds(1, 5),
            };
            let game = Game::Crash(Crash {
                size,
                conditions: Conditions::lossy(loss),
            });
            let slack = if loss > 0.0 { 1.05 } else { 1.0 };
            let mut cell = Cell::new(format!("N={size}, {}", percent(loss)), game, seeds);
            for (of, median) in [(FAST, fast * slack), (DEFAULT, default * slack)] {
                cell = cell
                    .at_most(of, &crash::ALL_KNOW, "median", median)
                    .at_most(of, &crash::ALL_KNOW, "p99", median * 1.5)
                    .at_least(of, &crash::COMPLETE, "mean", 1.0);
            }
            if is_large && !scale.is_full {
                cell.who = &[DEFAULT, "foca"];
            }
            cell.is_alone = is_large;
            cells.push(cell);
        }
    }
    cells
}

pub(super) fn lifeguard(scale: Scale) -> Vec<Cell> {
    let latency = Game::Crash(Crash {
        size: anomalies::SIZE,
        conditions: Conditions::LAN,
    });
    let mut latency = Cell::new("latency: crash, N=128", latency, scale.seeds(30, 100));
    latency.who = ABLATION;
    latency.baseline = "SWIM";
    let mut cells = vec![latency];
    for (label, pause) in [
        ("I/O blocked", Pause::Io),
        ("process stops, in order", Pause::Process(Wake::InOrder)),
        (
            "process stops, timers first",
            Pause::Process(Wake::TimersFirst),
        ),
        (
            "process stops, datagrams first",
            Pause::Process(Wake::PacketsFirst),
        ),
    ] {
        let games = Anomalies::grid(pause, scale.is_full);
        let label = format!("{label}, {} cells", games.len());
        let mut cell = Cell::new(label, Game::Anomalies(games[0]), scale.seeds(1, 10));
        cell.games = games.into_iter().map(Game::Anomalies).collect();
        cell.baseline = if pause == Pause::Io { "SWIM" } else { "foca" };
        cell.who = if pause == Pause::Io {
            ABLATION
        } else {
            &[DEFAULT, "foca"]
        };
        let most = match pause {
            Pause::Io => Some((50.0, 5.0)),
            Pause::Process(Wake::InOrder) => Some((0.0, 0.0)),
            Pause::Process(_) => None,
        };
        if let Some((most, healthy)) = most {
            cell = cell
                .at_most(DEFAULT, &anomalies::FALSE_POSITIVES, "total", most)
                .at_most(
                    DEFAULT,
                    &anomalies::HEALTHY_FALSE_POSITIVES,
                    "total",
                    healthy,
                );
        }
        cells.push(cell);
    }
    cells
}

const HOUR: Time = 3_600 * SECOND;

pub(super) fn loss(scale: Scale) -> Vec<Cell> {
    let span = if scale.is_full { 4 * HOUR } else { HOUR / 3 };
    let steady = |conditions| {
        Game::Steady(Steady {
            size: 256,
            conditions,
            span,
        })
    };
    let who = &[DEFAULT, FAST, RELIABLE, "SWIM", "Lifeguard 4 6 3", "foca"];
    let goals = [(0.1, 0.0, 0.0), (0.2, 10.0, 0.0), (0.3, 50.0, 1.0)];
    let mut cells = Vec::from_iter(goals.map(|(loss, most, reliable)| {
        let game = steady(Conditions::lossy(loss));
        let mut cell = Cell::new(format!("N=256, {}", percent(loss)), game, scale.seeds(2, 8))
            .at_most(DEFAULT, &steady::FALSE_POSITIVES, "mean", most)
            .at_most(RELIABLE, &steady::FALSE_POSITIVES, "mean", reliable);
        cell.who = who;
        cell
    }));
    let bursts = Bursts {
        good: 9 * SECOND,
        bad: SECOND,
        loss: 0.8,
    };
    let game = steady(Conditions {
        bursts: Some(bursts),
        ..Conditions::LAN
    });
    let label = "N=256, bursts: 1 s of 80 % loss in 10 s";
    let mut cell = Cell::new(label, game, scale.seeds(2, 8));
    cell.who = who;
    cells.push(cell);
    cells
}
