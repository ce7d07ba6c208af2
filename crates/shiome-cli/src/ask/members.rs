use shiome::inspect::MemberView;

use super::{AskFailure, At, list, table::or_dash};

/// List the members of the cluster, as gossip of a node tells them
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    at: At,
}

pub(super) async fn run(args: Args) -> Result<(), AskFailure> {
    let head = ["ADDRESS", "NAME", "STATE", "INCARNATION", "LINK", "ID"];
    let none = "the node does not gossip";
    list::show_all(&args.at, "/v1/members", none, head, cells).await
}

fn cells(member: MemberView) -> [String; 6] {
    let own = member.own.then(|| "own".to_owned());
    let link = own.or_else(|| member.node_id.map(|id| id.to_string()));
    [
        member.address,
        or_dash(member.name),
        member.state,
        member.incarnation.to_string(),
        or_dash(link),
        member.id,
    ]
}
