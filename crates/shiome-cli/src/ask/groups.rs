use super::{
    AskFailure, AtOrJoin,
    source::Source,
    table::{self, Table},
};

/// List the process groups that a node knows
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only groups whose name contains this.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,

    /// List so many at most: 1 to 1000000.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,

    #[command(flatten)]
    at: AtOrJoin,
}

/// Members that are shown of a group.
const SHOWN: usize = 8;

pub(super) async fn run(args: Args) -> Result<(), AskFailure> {
    let mut source = Source::of(&args.at).await?;
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let groups = source.groups(args.search.as_deref(), limit).await;
    source.close().await;
    let groups = groups?;
    if args.at.at.told.json {
        return table::print_json(&groups);
    }
    let mut rows = Table::new(&["SCOPE", "GROUP", "LOCAL", "REMOTE", "MEMBERS (LINK.PID)"]);
    let shown = groups.items.len();
    for group in groups.items {
        let members = group.members.iter().take(SHOWN);
        let members = members.map(|member| format!("{}.{}", member.node_id, member.pid));
        let mut members = members.collect::<Vec<_>>().join(" ");
        if group.local + group.remote > SHOWN {
            members.push_str(" ...");
        }
        rows.row([
            group.scope,
            group.name,
            group.local.to_string(),
            group.remote.to_string(),
            members,
        ]);
    }
    rows.print()?;
    if shown < groups.total {
        table::print(&format!("{shown} of {}", groups.total))?;
    }
    Ok(())
}
