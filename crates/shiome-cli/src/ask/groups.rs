use shiome::inspect::GroupView;

use super::{AskFailure, list::Listed};

/// List the process groups that a node knows
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only groups whose name contains this.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,

    #[command(flatten)]
    listed: Listed,
}

/// Members that are shown of a group.
const SHOWN: usize = 8;

pub(super) async fn run(args: Args) -> Result<(), AskFailure> {
    let search = args.search.as_deref();
    let head = ["SCOPE", "GROUP", "LOCAL", "REMOTE", "MEMBERS (LINK.PID)"];
    let listed = args.listed;
    let show = listed.show(
        async |source, limit| source.groups(search, limit).await,
        head,
        cells,
    );
    show.await
}

fn cells(group: GroupView) -> [String; 5] {
    let members = group.members.iter().take(SHOWN);
    let members = members.map(|member| format!("{}.{}", member.node_id, member.pid));
    let mut members = members.collect::<Vec<_>>().join(" ");
    if group.local + group.remote > SHOWN {
        members.push_str(" ...");
    }
    [
        group.scope,
        group.name,
        group.local.to_string(),
        group.remote.to_string(),
        members,
    ]
}
