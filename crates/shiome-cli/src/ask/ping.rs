use serde::Serialize;

use super::{AskFailure, AtOrJoin, source::Source, table};

/// Ask a node for a sign of life
///
/// The node that is asked pings NODE on the session that it has with it, and tells what that took.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Full name of the node to ping, name@host. Not needed with --join, which pings the node that is joined.
    #[arg(required_unless_present = "join")]
    node: Option<String>,

    /// Ping so often: 1 to 1000000.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: u32,

    #[command(flatten)]
    at: AtOrJoin,
}

#[derive(Serialize)]
struct Pong<'a> {
    node: &'a str,
    round_trip_us: u64,
}

pub(super) async fn run(args: Args) -> Result<(), AskFailure> {
    let told = args.at.at.told;
    let mut source = Source::of(&args.at).await?;
    let node = source.node(args.node.as_deref()).await?;
    let mut result = Ok(());
    for _ in 0..args.count {
        match source.ping(&node, told.limit()).await {
            Ok(round_trip_us) if told.json => {
                let node = node.as_str();
                table::print_json(&Pong {
                    node,
                    round_trip_us,
                })?;
            }
            Ok(us) => {
                let took = table::micros(us);
                table::print(&format!("{} answered in {took}", table::clean(&node)))?;
            }
            Err(error) => {
                result = Err(error);
                break;
            }
        }
    }
    source.close().await;
    result
}
