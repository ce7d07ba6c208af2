use shiome::inspect::SessionView;

use super::{
    AskFailure, At, list,
    table::{age, bytes, micros, or_dash},
};

/// List the sessions of a node, and connections that may become some
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    at: At,
}

pub(super) async fn run(args: Args) -> Result<(), AskFailure> {
    let head = [
        "LINK", "PEER", "STATE", "TIER", "ADDRESS", "SECURITY", "AGE", "RTT", "IN", "OUT",
        "QUEUED", "CREDIT", "CALLS", "DROPS",
    ];
    let none = "there are no sessions";
    list::show_all(&args.at, "/v1/sessions", none, head, cells).await
}

fn cells(session: SessionView) -> [String; 14] {
    let direction = if session.inbound { "from " } else { "to " };
    let bound = if session.bound { "+name" } else { "" };
    [
        session.node_id.to_string(),
        or_dash(Some(session.peer).filter(|peer| !peer.is_empty())),
        session.state,
        session.tier,
        format!("{direction}{}", session.address),
        format!("{}{bound}", session.security),
        age(session.age_ms),
        or_dash(session.round_trip_mean_us.map(micros)),
        bytes(session.bytes_in),
        bytes(session.bytes_out),
        bytes(session.queued_bytes),
        or_dash(session.credit_bytes.map(bytes)),
        format!("{}/{}", session.calls_out, session.calls_in),
        session.drops.values().sum::<u64>().to_string(),
    ]
}
