use shiome::inspect::MemberView;

use super::{
    AskFailure, At,
    client::Client,
    table::{self, Table, or_dash},
};

/// List the members of the cluster, as gossip of a node tells them
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    at: At,
}

pub(super) async fn run(args: Args) -> Result<(), AskFailure> {
    let mut client = Client::open(&args.at).await?;
    let members: Vec<MemberView> = client.get("/v1/members").await?;
    if args.at.told.json {
        return table::print_json(&members);
    }
    if members.is_empty() {
        return table::print("the node does not gossip");
    }
    let mut rows = Table::new(&["ADDRESS", "NAME", "STATE", "INCARNATION", "LINK", "ID"]);
    for member in members {
        let own = member.own.then(|| "own".to_owned());
        let link = own.or_else(|| member.node_id.map(|id| id.to_string()));
        rows.row([
            member.address,
            or_dash(member.name),
            member.state,
            member.incarnation.to_string(),
            or_dash(link),
            member.id,
        ]);
    }
    rows.print()
}
