//! What it costs when nothing happens.

use super::{DEFAULT, percent};
use crate::{
    experiments::{Cell, Scale},
    network::Conditions,
    scenarios::{
        Game,
        rate::{self, Rate},
        steady::{self, Steady},
    },
    time::{SECOND, Time},
};

pub(super) fn idle(scale: Scale) -> Vec<Cell> {
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

pub(super) fn rate(scale: Scale) -> Vec<Cell> {
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
