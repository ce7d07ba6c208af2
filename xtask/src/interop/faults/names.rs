//! E1 and E7: names and ids of the peer's actors.

use super::{
    Scene,
    figure::{Figure, Goal, Reading},
};
use crate::interop::checks;

pub(super) const NAME_KEPT: &[Figure] = &[Figure::new(
    "local name found after a remote one ends",
    "names",
    Goal::All,
)];

pub(super) fn name_kept(scene: &Scene<'_>) -> Result<Vec<Reading>, String> {
    let mut pair = scene.stage.pair(scene.subject, scene.partner)?;
    let kept = checks::keeps_name(&mut pair.out())?.is_ok();
    Ok(vec![Reading::of(usize::from(kept), 1)])
}

pub(super) const NODE_ID: &[Figure] = &[Figure::new(
    "node id of the first peer",
    "id",
    Goal::AtLeast(1.0),
)];

pub(super) fn node_id(scene: &Scene<'_>) -> Result<Vec<Reading>, String> {
    let mut pair = scene.stage.pair(scene.subject, scene.partner)?;
    let ids = pair.subject.ask("node-ids - early")?;
    let id = ids.parse().map_err(|_| format!("node ids {ids:?}"))?;
    Ok(vec![Reading::is(id)])
}
