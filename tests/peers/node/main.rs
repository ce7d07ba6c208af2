//! A cluster node that is driven over stdin and stdout, so that a runner can make nodes of different
//! implementations meet. `../README.md` documents the arguments and commands.

mod actor;
mod args;
#[cfg(feature = "remote-ref")]
mod built;
mod calls;
mod casts;
mod command;
mod events;
mod groups;
mod inbox;
mod load;
mod margin;
mod node;
mod sessions;
mod tls;
mod words;

use std::io::Write;
use std::process::ExitCode;

use tokio::io::{AsyncBufReadExt, BufReader};
use tracing_subscriber::filter::LevelFilter;

use crate::args::Args;
use crate::node::Node;

#[tokio::main]
async fn main() -> ExitCode {
    let node = match start().await {
        Ok(node) => node,
        Err(reason) => {
            eprintln!("cannot start: {reason}");
            return ExitCode::FAILURE;
        }
    };
    serve(node).await;
    // Returning would wait for the thread that reads stdin.
    std::process::exit(0);
}

async fn start() -> Result<Node, String> {
    let args = Args::parse(std::env::args().skip(1))?;
    log_to_stderr(args.log.as_deref());
    let port = args.port;
    let node = Node::start(args).await?;
    say(&format!("ready {port}"));
    Ok(node)
}

/// Answers commands one by one until `quit` or the end of stdin.
async fn serve(mut node: Node) {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if line.trim().is_empty() {
            continue;
        }
        match command::run(&mut node, &line).await {
            Ok(answer) if answer.is_empty() => say("ok"),
            Ok(answer) => say(&format!("ok {answer}")),
            Err(reason) => say(&format!("err {}", reason.replace('\n', " "))),
        }
        if line.trim() == "quit" {
            return;
        }
    }
}

/// Prints one whole line; without a reader there is nothing left to do.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        std::process::exit(1);
    }
}

fn log_to_stderr(level: Option<&str>) {
    if let Some(level) = level.and_then(|level| level.parse::<LevelFilter>().ok()) {
        tracing_subscriber::fmt()
            .with_max_level(level)
            .with_writer(std::io::stderr)
            .init();
    }
}
