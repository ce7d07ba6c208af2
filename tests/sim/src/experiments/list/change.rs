//! Nodes come, go and lose sight of each other.

use super::{DEFAULT, FAST, ONE_EACH, percent};
use crate::{
    experiments::{Cell, Scale},
    network::Conditions,
    scenarios::{
        Game,
        instability::{self, Instability, Trouble},
        join::{self, Join},
        newcomer::{self, Newcomer},
        partition::{self, Partition},
        restart::{self, Restart},
    },
    time::SECOND,
    world::Memory,
};

pub(super) fn join(scale: Scale) -> Vec<Cell> {
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

pub(super) fn newcomer(scale: Scale) -> Vec<Cell> {
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

pub(super) fn instability(scale: Scale) -> Vec<Cell> {
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

pub(super) fn partition(scale: Scale) -> Vec<Cell> {
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

pub(super) fn restart(scale: Scale) -> Vec<Cell> {
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
