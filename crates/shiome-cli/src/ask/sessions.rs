use shiome::inspect::SessionView;

use super::{
    AskFailure, At,
    client::Client,
    table::{self, Table, age, bytes, micros, or_dash},
};

/// List the sessions of a node, and connections that may become some
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    at: At,
}

pub(super) async fn run(args: Args) -> Result<(), AskFailure> {
    let mut client = Client::open(&args.at).await?;
    let sessions: Vec<SessionView> = client.get("/v1/sessions").await?;
    if args.at.told.json {
        return table::print_json(&sessions);
    }
    if sessions.is_empty() {
        return table::print("there are no sessions");
    }
    let mut rows = Table::new(&[
        "LINK", "PEER", "STATE", "TIER", "ADDRESS", "SECURITY", "AGE", "RTT", "IN", "OUT",
        "QUEUED", "CREDIT", "CALLS", "DROPS",
    ]);
    for session in sessions {
        rows.row(cells(session));
    }
    rows.print()
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
