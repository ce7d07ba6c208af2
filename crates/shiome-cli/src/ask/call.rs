use serde::Serialize;
use shiome_inspect::CallRequest;

use super::{AskFailure, AtOrJoin, Shown, arguments, source::Source, table};

/// Send a message to an actor, and print its reply
///
/// Each argument is one field of the message, as the derive macros of ractor lay it out: u8, u16, u32, u64, u128, i8 to i128,
/// f32, f64, bool, str or hex with a colon and the value, such as u64:5; @FILE for the bytes of a file; all else is text.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Full name of the actor's node, name@host: the node that is asked, or one that it has a session with. A dot is the
    /// node that is asked.
    node: String,

    /// Name of the actor, or its number.
    actor: String,

    /// Name of the variant of its message type.
    variant: String,

    /// Its arguments, without the reply port.
    arguments: Vec<String>,

    /// Wait for no reply: the variant has no reply port.
    #[arg(long)]
    cast: bool,

    /// The argument is hexadecimal and all of the encoded message, for types that are not laid out so.
    #[arg(long)]
    raw: bool,

    /// How to show the reply.
    #[arg(long = "as", value_enum, default_value_t = Shown::Auto)]
    shown: Shown,

    #[command(flatten)]
    at: AtOrJoin,
}

#[derive(Serialize)]
struct Reply {
    reply_hex: Option<String>,
    /// As it was asked for; `null` when the reply is not of that type.
    shown: Option<String>,
}

pub(super) async fn run(args: Args) -> Result<(), AskFailure> {
    let encoded = encoded(&args)?;
    let told = args.at.at.told;
    let mut source = Source::of(&args.at).await?;
    let node = Some(args.node.as_str()).filter(|node| *node != ".");
    let request = CallRequest {
        node: source.node(node).await?,
        actor: args.actor,
        variant: args.variant,
        arguments_hex: hex::encode(encoded),
        cast: args.cast,
        timeout_ms: u64::try_from(told.limit().as_millis()).ok(),
    };
    let reply = source.call(request, told.limit()).await;
    source.close().await;
    let reply = reply?;
    let shown = reply
        .as_ref()
        .and_then(|reply| arguments::show(reply, args.shown));
    let reply_hex = reply.as_ref().map(hex::encode);
    if told.json {
        return table::print_json(&Reply { reply_hex, shown });
    }
    match (reply_hex, shown) {
        (None, _) => Ok(()),
        (_, Some(shown)) => table::print(&shown),
        (Some(reply), None) => {
            let told = format!("the reply is not of that type: {reply}");
            Err(AskFailure::NotDone(told))
        }
    }
}

fn encoded(args: &Args) -> Result<Vec<u8>, AskFailure> {
    if !args.raw {
        return arguments::encode(&args.arguments);
    }
    let argument = args.arguments.concat();
    hex::decode(&argument).map_err(|error| AskFailure::Argument {
        reason: error.to_string(),
        argument,
    })
}
