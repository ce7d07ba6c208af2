//! E10 and E14: TLS listeners, and meshes over TLS.

use std::time::{Duration, Instant};

use super::{
    Scene,
    figure::{Figure, Goal, Reading},
};
use crate::peers::{node::Node, wire::Client};

/// Time for a join beside a silent client, in milliseconds.
const JOIN_MS: u64 = 8_000;

/// Time for one that does not wait for the silent client, in seconds: its deadline is 5 s.
const JOIN_S: f64 = 4.5;

/// Time for the third link of a mesh, in milliseconds.
const MESH_MS: u64 = 5_000;

pub(super) const SILENT: &[Figure] = &[Figure::new(
    "TLS join beside a silent client takes",
    "s",
    Goal::AtMost(JOIN_S),
)];

pub(super) fn silent(scene: &Scene<'_>) -> Result<Vec<Reading>, String> {
    let stage = scene.stage.over_tls()?;
    let mut node = stage.node(scene.subject, "listens", &[])?;
    let mut joins = stage.node(scene.partner, "joins", &[])?;
    let _silent = Client::dial(&node.address())?;
    let start = Instant::now();
    // It is not waited for: the published node connects until the listener has time for it.
    joins.send(&format!("connect {}", node.address()))?;
    let joined = node.try_ask(&format!("wait-session joins {JOIN_MS}"))?;
    let took = start.elapsed();
    Ok(vec![match joined {
        Ok(_) => Reading::is(took.as_secs_f64()),
        Err(_) => Reading::found(None).note(format!("not in {} s", JOIN_MS / 1000)),
    }])
}

pub(super) const MESH: &[Figure] = &[Figure::new(
    "links of a transitive mesh of three over TLS",
    "links",
    Goal::All,
)];

/// Two nodes join a third, which is the partner.
pub(super) fn mesh(scene: &Scene<'_>) -> Result<Vec<Reading>, String> {
    let stage = scene.stage.over_tls()?;
    let options = ["--transitive"];
    let hub = stage.node(scene.partner, "hub", &options)?;
    let mut ends = [
        stage.node(scene.subject, "left", &options)?,
        stage.node(scene.subject, "right", &options)?,
    ];
    for end in &mut ends {
        end.allow(Duration::from_secs(30));
        end.ask(&format!("connect {}", hub.address()))?;
        end.ask("wait-session hub 5000")?;
    }
    let [left, right] = &mut ends;
    // Either way it is counted below.
    let _ = left.try_ask(&format!("wait-session right {MESH_MS}"))?;
    let links = has_link(left, "hub")? + has_link(right, "hub")? + has_link(left, "right")?;
    Ok(vec![Reading::of(links, 3)])
}

fn has_link(node: &mut Node, peer: &str) -> Result<usize, String> {
    Ok(usize::from(
        node.try_ask(&format!("wait-session {peer} 0"))?.is_ok(),
    ))
}
