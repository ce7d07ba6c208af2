use shiome::inspect::ActorView;

use super::{AskFailure, list::Listed, table::or_dash};

/// List actors of a node, or those that a peer has told it of
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Full name of the node whose actors to list, name@host. Default: the node that is asked.
    node: Option<String>,

    /// Only actors whose name contains this, or whose number it is.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,

    #[command(flatten)]
    listed: Listed,
}

pub(super) async fn run(args: Args) -> Result<(), AskFailure> {
    let (node, search) = (args.node.as_deref(), args.search.as_deref());
    let head = ["PID", "NAME", "STATUS", "EXPOSED", "SUPERVISOR"];
    let listed = args.listed;
    let show = listed.show(
        async |source, limit| source.actors(node, search, limit).await,
        head,
        cells,
    );
    show.await
}

fn cells(actor: ActorView) -> [String; 5] {
    let exposed = match (actor.remotable, actor.exposed) {
        (false, _) => "local",
        (true, false) => "no",
        (true, true) => "yes",
    };
    [
        actor.pid.to_string(),
        or_dash(actor.name),
        or_dash(Some(actor.status).filter(|status| !status.is_empty())),
        exposed.to_owned(),
        or_dash(actor.supervisor),
    ]
}
