//! What is known to go wrong between published nodes, done again with them and with ours: one table, side by side.
//!
//! `holds` judges ours. What the published nodes do is told beside it, and a row says so when a known fault does not
//! show any more.

mod calls;
mod figure;
mod frozen;
mod names;
mod raw;
mod references;
mod restart;
mod row;
mod schedule;
mod tls;

use std::path::Path;

use crate::{
    Stop,
    peers::{
        programs::{Kind, Profile, Programs},
        stage::Stage,
    },
};
use figure::{Figure, Reading};
pub(super) use row::Row;

/// Runs behind half-open links, each pair, unless told otherwise.
const ROUNDS: usize = 10;
const FULL_ROUNDS: usize = 100;

/// One fault.
struct Fault {
    /// As the list of known faults numbers them.
    id: &'static str,
    partners: Partners,
    /// Whether 0.15.12 is looked at as well.
    older: bool,
    lane: Lane,
    figures: &'static [Figure],
    run: fn(&Scene<'_>) -> Result<Vec<Reading>, String>,
}

/// Who the node that is looked at meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Partners {
    /// Ours meets 0.16.5, and another of ours; published nodes meet their like.
    Nodes,
    /// Every node meets each of these.
    Each(&'static [Kind]),
    /// A client by hand, or nodes of the same kind only.
    Alone,
}

/// What a run does to others at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    /// It mostly waits: nothing.
    Waits,
    /// It takes its share of the processor.
    Shares,
    /// It takes all that it can get of memory and processor.
    Hogs,
}

/// Where a fault is looked for.
struct Scene<'a> {
    stage: Stage<'a>,
    subject: Kind,
    partner: Kind,
    options: Options,
}

/// How much of everything.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Options {
    /// Sizes with which the faults were found, instead of smaller ones that show the same.
    pub(super) full: bool,
    pub(super) rounds: Option<usize>,
}

impl Options {
    fn rounds(self) -> usize {
        let usual = if self.full { FULL_ROUNDS } else { ROUNDS };
        self.rounds.unwrap_or(usual)
    }
}

impl Partners {
    /// Whom a node of this kind meets.
    fn of(self, subject: Kind) -> &'static [Kind] {
        match (self, subject) {
            (Self::Each(kinds), _) => kinds,
            (Self::Nodes, Kind::Shiome) => &[Kind::V0_16, Kind::Shiome],
            (Self::Alone, Kind::Shiome) => &[Kind::Shiome],
            (Self::Nodes | Self::Alone, Kind::V0_16) => &[Kind::V0_16],
            (Self::Nodes | Self::Alone, Kind::V0_15) => &[Kind::V0_15],
        }
    }

    /// Whom the published node met that is compared with ours and its partner.
    fn beside(self, published: Kind, partner: Kind) -> Kind {
        match self {
            Self::Each(_) => partner,
            Self::Nodes | Self::Alone => published,
        }
    }
}

/// The faults that have a row of a name that is wanted.
fn chosen(wants: &dyn Fn(&str) -> bool) -> Vec<&'static Fault> {
    let faults = FAULTS.iter();
    faults
        .filter(|fault| fault.row_names().iter().any(|name| wants(name)))
        .collect()
}

/// The names of the rows.
pub(super) fn names() -> Vec<String> {
    FAULTS.iter().flat_map(Fault::row_names).collect()
}

/// Runs what the wanted rows need, and prints the table.
///
/// # Errors
///
/// What to tell when the programs do not build.
pub(super) fn run(
    root: &Path,
    debug: Programs,
    wants: &dyn Fn(&str) -> bool,
    options: Options,
) -> Result<Vec<Row>, Stop> {
    let faults = chosen(wants);
    if faults.is_empty() {
        return Ok(Vec::new());
    }
    let programs = if options.full {
        Programs::nodes(root, Profile::Release)?
    } else {
        debug
    };
    let found = schedule::run(&programs, &faults, options);
    let rows: Vec<_> = faults.iter().flat_map(|fault| fault.rows(&found)).collect();
    row::print(&rows);
    Ok(rows)
}

const DIALLERS: Partners = Partners::Each(&[Kind::V0_16, Kind::V0_15, Kind::Shiome]);

const FAULTS: &[Fault] = &[
    fault(
        "E1",
        Partners::Nodes,
        Lane::Shares,
        names::NAME_KEPT,
        names::name_kept,
    ),
    fault(
        "E2",
        Partners::Nodes,
        Lane::Shares,
        calls::LAST_WORDS,
        calls::last_words,
    ),
    fault(
        "E3",
        DIALLERS,
        Lane::Waits,
        restart::ACCEPTED,
        restart::accepted,
    ),
    fault(
        "E7",
        Partners::Nodes,
        Lane::Shares,
        names::NODE_ID,
        names::node_id,
    ),
    fault(
        "E8",
        Partners::Nodes,
        Lane::Waits,
        calls::UNKNOWN,
        calls::unknown,
    ),
    fault(
        "E10",
        Partners::Alone,
        Lane::Waits,
        tls::SILENT,
        tls::silent,
    ),
    fault(
        "E12",
        Partners::Nodes,
        Lane::Hogs,
        references::TOO_LONG,
        references::too_long,
    ),
    Fault {
        older: false,
        ..fault(
            "E13",
            Partners::Nodes,
            Lane::Hogs,
            frozen::FROZEN,
            frozen::frozen,
        )
    },
    fault("E14", Partners::Nodes, Lane::Waits, tls::MESH, tls::mesh),
    fault(
        "E15",
        Partners::Nodes,
        Lane::Shares,
        references::STOP,
        references::stop,
    ),
    fault("E16", Partners::Alone, Lane::Waits, raw::HUGE, raw::huge),
    fault("E17", Partners::Alone, Lane::Waits, raw::PONGS, raw::pongs),
    fault("E18", Partners::Alone, Lane::Hogs, raw::CROWD, raw::crowd),
    fault(
        "E19",
        Partners::Alone,
        Lane::Waits,
        raw::SILENCE_FIGURES,
        raw::silence,
    ),
];

const fn fault(
    id: &'static str,
    partners: Partners,
    lane: Lane,
    figures: &'static [Figure],
    run: fn(&Scene<'_>) -> Result<Vec<Reading>, String>,
) -> Fault {
    Fault {
        id,
        partners,
        older: true,
        lane,
        figures,
        run,
    }
}
