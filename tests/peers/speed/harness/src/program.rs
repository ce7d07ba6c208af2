//! Command line and commands.

use std::{
    io::Write,
    path::PathBuf,
    process::ExitCode,
    str::{FromStr, SplitWhitespace},
};

use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines, Stdin},
    runtime::Runtime,
};

use crate::{Calls, Casts, Place, Receiver, Sender, Tls, tls};

/// The program: receives, sends, or makes a certificate, as its arguments say.
pub fn run<R: Receiver, S: Sender>() -> ExitCode {
    let outcome = Runtime::new()
        .map_err(|error| error.to_string())
        .and_then(|runtime| runtime.block_on(main::<R, S>()));
    match outcome {
        // Returning would wait for the thread that reads stdin.
        Ok(()) => std::process::exit(0),
        Err(reason) => {
            eprintln!("{reason}");
            std::process::exit(1)
        }
    }
}

async fn main<R: Receiver, S: Sender>() -> Result<(), String> {
    let mut words = std::env::args().skip(1);
    let role = words.next().unwrap_or_default();
    let (mut address, mut tls) = (None, None);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--tls" => {
                let dir = words.next().ok_or("--tls needs a directory")?;
                tls = Some(PathBuf::from(dir));
            }
            _ => address = Some(word),
        }
    }
    if role == "write-tls" {
        return tls::write(&tls.ok_or("--tls says where to")?);
    }
    let tls = tls.as_deref().map(Tls::load).transpose()?;
    match role.as_str() {
        "receive" => receive::<R>(tls).await,
        "send" => send::<S>(address.ok_or("send needs an address")?, tls).await,
        _ => Err("usage: receive | send ADDRESS | write-tls, each with [--tls DIR]".to_owned()),
    }
}

async fn receive<R: Receiver>(tls: Option<Tls>) -> Result<(), String> {
    let (mut receiver, port) = R::start(tls).await?;
    say(&format!("ready {port}"));
    let mut commands = commands();
    while let Some(line) = next(&mut commands).await {
        let mut words = line.split_whitespace();
        answer(match words.next() {
            Some("spawn") => spawn(&mut receiver, words).await,
            Some("rest-after") => number(&mut words)
                .and_then(|casts| receiver.rest_after(casts))
                .map(|()| String::new()),
            _ => Err(format!("unknown command {line}")),
        });
    }
    Ok(())
}

async fn spawn(
    receiver: &mut impl Receiver,
    mut words: SplitWhitespace<'_>,
) -> Result<String, String> {
    let count = number(&mut words)?;
    let place = match words.next() {
        Some("group") => Place::Group,
        _ => Place::Alone,
    };
    receiver.spawn(count, place).await.map(|()| String::new())
}

async fn send<S: Sender>(address: String, tls: Option<Tls>) -> Result<(), String> {
    say("ready 0");
    let mut sender = None;
    let mut commands = commands();
    while let Some(line) = next(&mut commands).await {
        let mut words = line.split_whitespace();
        let command = words.next().unwrap_or_default();
        if command == "connect" {
            let members = number(&mut words)?;
            let connected = S::connect(address.clone(), tls.clone(), members).await;
            answer(connected.map(|(connection, took)| {
                sender = Some(connection);
                format!("{} {}", took.ready.as_micros(), took.visible.as_micros())
            }));
            continue;
        }
        let Some(sender) = sender.as_mut() else {
            answer(Err("not connected".to_owned()));
            continue;
        };
        answer(match command {
            "casts" => casts(sender, words).await,
            "calls" => calls(sender, words).await,
            _ => Err(format!("unknown command {line}")),
        });
    }
    Ok(())
}

async fn casts(sender: &mut impl Sender, mut words: SplitWhitespace<'_>) -> Result<String, String> {
    let handle = words.next().ok_or("which handle?")?;
    let casts = Casts {
        senders: number(&mut words)?,
        count: number(&mut words)?,
        len: number(&mut words)?,
        every: number(&mut words)?,
    };
    let wall = sender.casts(handle, casts).await?;
    Ok(wall.as_micros().to_string())
}

async fn calls(sender: &mut impl Sender, mut words: SplitWhitespace<'_>) -> Result<String, String> {
    let handle = words.next().ok_or("which handle?")?;
    let calls = Calls {
        callers: number(&mut words)?,
        count: number(&mut words)?,
        len: number(&mut words)?,
    };
    let mut called = sender.calls(handle, calls).await?;
    called.latencies.sort_unstable();
    let (p50, p99) = (called.percentile(50), called.percentile(99));
    Ok(format!("{} {p50} {p99}", called.wall.as_micros()))
}

fn number<N: FromStr>(words: &mut SplitWhitespace<'_>) -> Result<N, String> {
    let word = words.next().ok_or("a number is missing")?;
    word.parse().map_err(|_| format!("cannot read {word}"))
}

fn commands() -> Lines<BufReader<Stdin>> {
    BufReader::new(tokio::io::stdin()).lines()
}

async fn next(commands: &mut Lines<BufReader<Stdin>>) -> Option<String> {
    let line = commands.next_line().await.ok()??;
    (line.trim() != "quit").then_some(line)
}

fn answer(answer: Result<String, String>) {
    match answer {
        Ok(answer) => say(format!("ok {answer}").trim_end()),
        Err(reason) => say(&format!("err {}", reason.replace('\n', " "))),
    }
}

/// Prints one whole line; without a reader there is nothing left to do.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        std::process::exit(1);
    }
}
