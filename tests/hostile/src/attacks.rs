//! All attacks, a family a file.

mod announce;
mod burst;
mod calls;
mod casts;
mod certificates;
mod cookie;
mod credit;
mod crossed;
mod dials;
mod flood;
mod fragments;
mod frames;
mod garbage;
mod groups;
mod loris;
mod names;
mod pings;
mod reflect;
mod replay;
mod web;

use serde::Serialize;

use crate::attack::{Attack, Bounds};

/// In the order in which they are run: from strangers to peers that are in.
const FAMILIES: &[&[Attack]] = &[
    loris::ATTACKS,
    flood::ATTACKS,
    frames::ATTACKS,
    garbage::ATTACKS,
    crossed::ATTACKS,
    web::ATTACKS,
    certificates::ATTACKS,
    cookie::ATTACKS,
    replay::ATTACKS,
    reflect::ATTACKS,
    names::ATTACKS,
    announce::ATTACKS,
    groups::ATTACKS,
    casts::ATTACKS,
    calls::ATTACKS,
    burst::ATTACKS,
    fragments::ATTACKS,
    credit::ATTACKS,
    pings::ATTACKS,
    dials::ATTACKS,
];

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Attack> {
    FAMILIES.iter().copied().flatten()
}

/// An attack as it is told.
#[derive(Serialize)]
pub(crate) struct Told {
    name: &'static str,
    about: &'static str,
    #[serde(flatten)]
    bounds: Bounds,
}

/// All attacks, to be told.
pub(crate) fn list() -> Vec<Told> {
    let told = all().map(|attack| Told {
        name: attack.name,
        about: attack.about,
        bounds: attack.bounds,
    });
    told.collect()
}
