use super::{
    AskFailure, AtOrJoin,
    source::Source,
    table::{self, Table, or_dash},
};

/// List actors of a node, or those that a peer has told it of
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Full name of the node whose actors to list, name@host. Default: the node that is asked.
    node: Option<String>,

    /// Only actors whose name contains this, or whose number it is.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,

    /// List so many at most: 1 to 1000000.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,

    #[command(flatten)]
    at: AtOrJoin,
}

pub(super) async fn run(args: Args) -> Result<(), AskFailure> {
    let mut source = Source::of(&args.at).await?;
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let actors = source.actors(args.node.as_deref(), args.search.as_deref(), limit);
    let actors = actors.await;
    source.close().await;
    let actors = actors?;
    if args.at.at.told.json {
        return table::print_json(&actors);
    }
    let mut rows = Table::new(&["PID", "NAME", "STATUS", "EXPOSED", "SUPERVISOR"]);
    let shown = actors.items.len();
    for actor in actors.items {
        let exposed = match (actor.remotable, actor.exposed) {
            (false, _) => "local",
            (true, false) => "no",
            (true, true) => "yes",
        };
        rows.row([
            actor.pid.to_string(),
            or_dash(actor.name),
            or_dash(Some(actor.status).filter(|status| !status.is_empty())),
            exposed.to_owned(),
            or_dash(actor.supervisor),
        ]);
    }
    rows.print()?;
    if shown < actors.total {
        table::print(&format!("{shown} of {}", actors.total))?;
    }
    Ok(())
}
