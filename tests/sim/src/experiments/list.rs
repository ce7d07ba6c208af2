mod change;
mod cost;
mod detection;

use super::Experiment;

/// Our engine with its defaults.
pub(super) const DEFAULT: &str = "shiome";
/// Our engine, quicker.
pub(super) const FAST: &str = "shiome fast";

/// Ours and the published ones.
pub(super) const RIVALS: &[&str] = &[DEFAULT, FAST, "foca", "foca, notify_down off", "memberlist"];
/// Ours with the defaults and the published ones, where speed of detection does not matter.
pub(super) const ONE_EACH: &[&str] = &[DEFAULT, "foca", "memberlist"];

/// All experiments.
pub const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "crash",
        about: "a node ends without a word: when do the others know?",
        cells: detection::crash,
    },
    Experiment {
        name: "lifeguard",
        about: "who pays for nodes that stand still? 128 nodes, tables of the Lifeguard paper",
        cells: detection::lifeguard,
    },
    Experiment {
        name: "loss",
        about: "nodes declared dead because of loss",
        cells: detection::loss,
    },
    Experiment {
        name: "idle",
        about: "what a converged cluster costs",
        cells: cost::idle,
    },
    Experiment {
        name: "join",
        about: "all nodes join through one of them within 100 ms",
        cells: change::join,
    },
    Experiment {
        name: "newcomer",
        about: "a node joins a converged cluster",
        cells: change::newcomer,
    },
    Experiment {
        name: "instability",
        about: "one node in a hundred has a bad connection (Rapid, figures 9 and 10)",
        cells: change::instability,
    },
    Experiment {
        name: "partition",
        about: "halves that do not reach each other for 5 min",
        cells: change::partition,
    },
    Experiment {
        name: "restart",
        about: "all nodes start again, 10 % a second, with their old ids",
        cells: change::restart,
    },
    Experiment {
        name: "rate",
        about: "speed of the simulation on one core",
        cells: cost::rate,
    },
];

/// How a loss is written.
fn percent(loss: f64) -> String {
    format!("{} % loss", (loss * 100.0).round())
}
