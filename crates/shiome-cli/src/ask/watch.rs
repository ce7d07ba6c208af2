//! `shiome watch`: a node, as it is now.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::Duration,
};

use shiome_inspect::{FeedSnapshot, NumberedEvent};
use tokio::time::{MissedTickBehavior, interval};

use super::{AskFailure, At, client::Client, table};
use crate::signals::Signals;

mod screen;

use screen::{Size, draw};

/// Show a node live: members, sessions with what passes and what waits, and what happens
///
/// Ends with Ctrl-C or SIGTERM. When the node is not there, it is asked again.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Look so often: 1 to 60.
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=60))]
    every: u64,

    /// Look once, and print what there is to be seen.
    #[arg(long)]
    once: bool,

    #[command(flatten)]
    at: At,
}

/// What was seen at a time.
struct Seen {
    snapshot: FeedSnapshot,
    events: Vec<NumberedEvent>,
}

pub(super) async fn run(args: Args) -> Result<(), AskFailure> {
    if args.once {
        let seen = look(&mut Client::open(&args.at).await?).await?;
        return match args.at.told.json {
            true => table::print_json(&seen.snapshot),
            false => table::print(&draw(&seen.snapshot, None, &seen.events, Size::of_stdout())),
        };
    }
    // Whatever ends it, the terminal is to be as before.
    let mut signals = Signals::new().map_err(AskFailure::Signal)?;
    let terminal = (!args.at.told.json && io::stdout().is_terminal()).then(Terminal::enter);
    let terminal = terminal.transpose().map_err(AskFailure::Print)?;
    let watched = tokio::select! {
        watched = watch(&args) => watched,
        () = signals.next() => Ok(()),
    };
    drop(terminal);
    watched
}

async fn watch(args: &Args) -> Result<(), AskFailure> {
    let mut ticks = interval(Duration::from_secs(args.every));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // A node that is not there at first is told at once.
    let mut client = Some(Client::open(&args.at).await?);
    let mut before: Option<FeedSnapshot> = None;
    loop {
        ticks.tick().await;
        let seen = match &mut client {
            Some(client) => look(client).await,
            None => reopen(&args.at, &mut client).await,
        };
        match seen {
            Ok(seen) if args.at.told.json => table::print_json(&seen.snapshot)?,
            Ok(seen) => {
                let text = draw(
                    &seen.snapshot,
                    before.as_ref(),
                    &seen.events,
                    Size::of_stdout(),
                );
                show(&text)?;
                before = Some(seen.snapshot);
            }
            Err(error @ (AskFailure::Refused(_) | AskFailure::Print(_))) => return Err(error),
            Err(error) => {
                client = None;
                let error = crate::error::chain(&error);
                match args.at.told.json {
                    true => tracing::warn!(error, "asked again"),
                    false => show(&format!("{error}\n\nasked again"))?,
                }
            }
        }
    }
}

async fn reopen(at: &At, client: &mut Option<Client>) -> Result<Seen, AskFailure> {
    let mut opened = Client::open(at).await?;
    let seen = look(&mut opened).await?;
    *client = Some(opened);
    Ok(seen)
}

async fn look(client: &mut Client) -> Result<Seen, AskFailure> {
    Ok(Seen {
        snapshot: client.get("/v1/snapshot").await?,
        events: client.get("/v1/events").await?,
    })
}

/// In place of what is on the screen.
fn show(text: &str) -> Result<(), AskFailure> {
    if !io::stdout().is_terminal() {
        return table::print(&format!("{text}\n"));
    }
    let mut out = io::stdout().lock();
    // Each line to its end, then all below: without a moment in which the screen is empty.
    let lines = text.replace('\n', "\x1b[K\r\n");
    let written = write!(out, "\x1b[H{lines}\x1b[K\x1b[J").and_then(|()| out.flush());
    written.map_err(AskFailure::Print)
}

/// The second screen of the terminal, until it is dropped.
struct Terminal;

impl Terminal {
    fn enter() -> io::Result<Self> {
        let mut out = io::stdout().lock();
        write!(out, "\x1b[?1049h\x1b[?25l")?;
        out.flush()?;
        Ok(Self)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let mut out = io::stdout().lock();
        // Whoever has closed the terminal does not miss it.
        let _ = write!(out, "\x1b[?25h\x1b[?1049l").and_then(|()| out.flush());
    }
}
