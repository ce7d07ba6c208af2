use super::{Cell, Experiment, Scale};
use crate::{
    network::{Bursts, Conditions},
    pause::{Pause, Wake},
    scenarios::{
        Game,
        anomalies::{self, Anomalies},
        crash::{self, Crash},
        instability::{self, Instability, Trouble},
        join::{self, Join},
        newcomer::{self, Newcomer},
        partition::{self, Partition},
        rate::{self, Rate},
        restart::{self, Restart},
        steady::{self, Steady},
    },
    time::{SECOND, Time},
    world::Memory,
};

/// Our engine with its defaults.
const DEFAULT: &str = "shiome";
/// Our engine, quicker.
const FAST: &str = "shiome fast";
/// Our engine with reliable pings.
const RELIABLE: &str = "shiome, reliable pings";

/// Ours and the published ones.
pub(super) const RIVALS: &[&str] = &[DEFAULT, FAST, "foca", "foca, notify_down off", "memberlist"];
/// Ours with the defaults and the published ones, where speed of detection does not matter.
const ONE_EACH: &[&str] = &[DEFAULT, "foca", "memberlist"];
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

/// All experiments.
pub const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "crash",
        about: "a node ends without a word: when do the others know?",
        cells: crash,
    },
    Experiment {
        name: "lifeguard",
        about: "who pays for nodes that stand still? 128 nodes, tables of the Lifeguard paper",
        cells: lifeguard,
    },
    Experiment {
        name: "loss",
        about: "nodes declared dead because of loss",
        cells: loss,
    },
    Experiment {
        name: "idle",
        about: "what a converged cluster costs",
        cells: idle,
    },
    Experiment {
        name: "join",
        about: "all nodes join through one of them within 100 ms",
        cells: join,
    },
    Experiment {
        name: "newcomer",
        about: "a node joins a converged cluster",
        cells: newcomer,
    },
    Experiment {
        name: "instability",
        about: "one node in a hundred has a bad connection (Rapid, figures 9 and 10)",
        cells: instability,
    },
    Experiment {
        name: "partition",
        about: "halves that do not reach each other for 5 min",
        cells: partition,
    },
    Experiment {
        name: "restart",
        about: "all nodes start again, 10 % a second, with their old ids",
        cells: restart,
    },
    Experiment {
        name: "rate",
        about: "speed of the simulation on one core",
        cells: rate,
    },
];

fn percent(loss: f64) -> String {
    format!("{} % loss", (loss * 100.0).round())
}

fn crash(scale: Scale) -> Vec<Cell> {
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

fn lifeguard(scale: Scale) -> Vec<Cell> {
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

fn loss(scale: Scale) -> Vec<Cell> {
    let span = if scale.is_full { 4 * HOUR } else { HOUR / 3 };
    let steady = |conditions| {
        Game::Steady(Steady {
            size: 256,
            conditions,
            span,
        })
    };
    let who = &[
        DEFAULT,
        FAST,
        RELIABLE,
        "SWIM",
        "Lifeguard 4 6 3",
        "foca",
        "foca, notify_down off",
    ];
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

fn idle(scale: Scale) -> Vec<Cell> {
    // Size, loss, most bytes per second.
    let goals = [
        (100, 0.0, Some(125.0)),
        (1_000, 0.0, Some(125.0)),
        (100, 0.05, None),
        (100, 0.1, None),
        (1_000, 0.05, Some(150.0)),
        (1_000, 0.1, Some(350.0)),
    ];
    let cell = |(size, loss, most): (u32, f64, Option<f64>)| {
        let game = Game::Steady(Steady {
            size,
            conditions: Conditions::lossy(loss),
            span: 120 * SECOND,
        });
        let label = format!("N={size}, {}", percent(loss));
        let mut cell = Cell::new(label, game, scale.seeds(2, 10));
        if let Some(most) = most {
            cell = cell.at_most(DEFAULT, &steady::BYTES, "mean", most);
        }
        cell.who = if size == 100 && loss == 0.0 {
            &[
                DEFAULT,
                "shiome, classic form",
                "SWIM",
                "foca",
                "memberlist",
            ]
        } else {
            &[DEFAULT, "shiome, classic form", "foca", "memberlist"]
        };
        cell
    };
    goals.into_iter().map(cell).collect()
}

fn join(scale: Scale) -> Vec<Cell> {
    let goals = [(256, 3.0, 5.0), (1_000, 6.0, 10.0), (2_000, 10.0, 15.0)];
    let cells = goals.into_iter().flat_map(|(size, plain, lossy)| {
        [(0.0, plain), (0.1, lossy)].map(|(loss, most)| {
            let game = Game::Join(Join {
                size,
                conditions: Conditions::lossy(loss),
            });
            let seeds = match size {
                256 => scale.seeds(10, 30),
                1_000 => scale.seeds(2, 30),
                _ => scale.seeds(1, 30),
            };
            let mut cell = Cell::new(format!("N={size}, {}", percent(loss)), game, seeds)
                .at_most(DEFAULT, &join::ALL_KNOW_ALL, "median", most)
                .at_least(DEFAULT, &join::COMPLETE, "mean", 1.0)
                .at_most(DEFAULT, &join::SIZES, "max", 20.0);
            cell.who = ONE_EACH;
            cell
        })
    });
    cells.collect()
}

fn newcomer(scale: Scale) -> Vec<Cell> {
    let mut cells = Vec::new();
    for (size, seconds, rounds) in [(1_000, 0.8, 4.5), (10_000, 1.1, 5.5)] {
        for (loss, slack) in [(0.0, 1.0), (0.1, 1.15)] {
            let is_large = size > 1_000;
            if is_large && loss > 0.0 && !scale.is_full {
                continue;
            }
            let game = Game::Newcomer(Newcomer {
                size,
                conditions: Conditions::lossy(loss),
            });
            let seeds = if is_large {
                scale.seeds(1, 5)
            } else {
                scale.seeds(5, 30)
            };
            let mut cell = Cell::new(format!("N={size}, {}", percent(loss)), game, seeds)
                .at_most(DEFAULT, &newcomer::KNOWN_BY_ALL, "median", seconds * slack)
                .at_most(DEFAULT, &newcomer::ROUNDS, "median", rounds * slack)
                .at_least(DEFAULT, &newcomer::COMPLETE, "mean", 1.0);
            cell.who = ONE_EACH;
            cell.is_alone = is_large;
            cells.push(cell);
        }
    }
    cells
}

fn instability(scale: Scale) -> Vec<Cell> {
    let cell = |(label, trouble)| {
        let game = Game::Instability(Instability {
            size: 1_000,
            trouble,
            span: 300 * SECOND,
        });
        let mut cell = Cell::new(label, game, scale.seeds(1, 10))
            .at_most(DEFAULT, &instability::HEALTHY_REMOVED, "max", 0.0)
            .at_most(DEFAULT, &instability::CHANGES, "mean", 1.0);
        cell.who = &[DEFAULT, FAST, "foca"];
        cell
    };
    [
        ("N=1000, 80 % of what they send is lost", Trouble::Loss),
        ("N=1000, deaf every other 20 s", Trouble::FlipFlop),
    ]
    .map(cell)
    .into()
}

fn partition(scale: Scale) -> Vec<Cell> {
    let cell = |size| {
        let game = Game::Partition(Partition {
            size,
            span: 300 * SECOND,
        });
        let mut cell = Cell::new(format!("N={size}"), game, scale.seeds(5, 30))
            .at_most(DEFAULT, &partition::MERGED, "p99", 10.0)
            .at_least(DEFAULT, &partition::COMPLETE, "mean", 1.0)
            .at_most(DEFAULT, &partition::FAULTS, "max", 0.0);
        cell.who = ONE_EACH;
        cell
    };
    [100, 256].map(cell).into()
}

fn restart(scale: Scale) -> Vec<Cell> {
    let cell = |(label, memory)| {
        let game = Game::Restart(Restart {
            size: 1_000,
            removed: 10,
            memory,
        });
        let label = format!("N=1000, 10 stay away, {label}");
        let mut cell = Cell::new(label, game, scale.seeds(2, 30))
            .at_most(DEFAULT, &restart::CONVERGED, "median", 15.0)
            .at_least(DEFAULT, &restart::COMPLETE, "mean", 1.0)
            .at_most(DEFAULT, &restart::RESURRECTED, "max", 0.0);
        cell.who = ONE_EACH;
        cell
    };
    [
        ("incarnations kept", Memory::Kept),
        ("incarnations lost", Memory::Lost),
    ]
    .map(cell)
    .into()
}

fn rate(scale: Scale) -> Vec<Cell> {
    // What an idle cluster of 10 000 costs is measured here too, because filling so many tables takes so long.
    let cell = |(size, span, least, most): (u32, Time, f64, f64)| {
        let game = Game::Rate(Rate { size, span });
        let mut cell = Cell::new(format!("N={size}"), game, scale.seeds(1, 5))
            .at_least(DEFAULT, &rate::EVENTS, "median", least)
            .at_most(DEFAULT, &steady::BYTES, "mean", most)
            .at_most(DEFAULT, &rate::MEMORY, "max", 64.0);
        cell.who = &[DEFAULT, "foca"];
        cell.is_alone = true;
        cell
    };
    [
        (1_000, 300 * SECOND, 3.0, 125.0),
        (10_000, 20 * SECOND, 0.5, 130.0),
    ]
    .map(cell)
    .into()
}
