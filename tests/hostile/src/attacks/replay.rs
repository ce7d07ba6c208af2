//! A good handshake, said again.

use std::{env, process::Stdio, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    process::Command,
    sync::Mutex,
    time::timeout,
};

use crate::{
    Problem,
    attack::{
        Arena, Attack, Tally, USUAL,
        crowd::crowd,
        raw::{PATIENCE, Raw, connect},
    },
};

pub(crate) const ATTACKS: &[Attack] = &[Attack {
    name: "replay",
    about: "what a good node has said to the victim, recorded by a proxy, is said again, up to 1000 times from 100 \
            addresses within 4 s",
    bounds: USUAL,
    run: |arena| Box::pin(replay(arena)),
}];

async fn replay(arena: Arena) -> Result<Tally, Problem> {
    let recorded: Arc<[u8]> = record(&arena).await?.into();
    let sources = 100;
    let mut tally = crowd(&arena, 8, |arena, number| {
        let recorded = Arc::clone(&recorded);
        async move {
            let mut tally = Tally::default();
            let mut answers = 0;
            for turn in 0..arena.count(125) {
                if arena.is_over(&tally) {
                    break;
                }
                tally.attempts += 1;
                let from = arena.source((turn * 8 + number) % sources);
                let Ok(mut raw) = Raw::tcp(from, &arena.options.tcp).await else {
                    tally.refused += 1;
                    continue;
                };
                let said = raw.writer.bytes(&recorded).await;
                let mut heard = 0;
                while said.is_ok() && timeout(PATIENCE, raw.reader.next()).await?.is_some() {
                    heard += 1;
                }
                answers = answers.max(heard);
                tally.refused += 1;
            }
            // The status and the challenge; an acknowledgement would mean that it is in.
            tally.check("none is acknowledged", answers <= 2, answers);
            Ok(tally)
        }
    })
    .await?;
    tally.note(format!("{} bytes recorded", recorded.len()));
    Ok(tally)
}

/// What a node that knows the cookie says to the victim from the first byte on.
async fn record(arena: &Arena) -> Result<Vec<u8>, Problem> {
    let proxy = TcpListener::bind("127.0.0.1:0").await?;
    let mut node = Command::new(env::current_exe()?)
        .args(["newcomer", "--node", "recorded", "--dir"])
        .arg(&arena.options.dir)
        .arg("--connect")
        .arg(proxy.local_addr()?.to_string())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let (near, _) = proxy.accept().await?;
    let far = connect(arena.source(240), &arena.options.tcp).await?;
    let ((mut from_node, mut to_node), (mut from_victim, mut to_victim)) =
        (near.into_split(), far.into_split());
    let recorded = Arc::new(Mutex::new(Vec::new()));
    let there = tokio::spawn({
        let recorded = Arc::clone(&recorded);
        async move {
            let mut bytes = vec![0; 16 * 1024];
            while let Ok(read @ 1..) = from_node.read(&mut bytes).await {
                recorded.lock().await.extend_from_slice(&bytes[..read]);
                if to_victim.write_all(&bytes[..read]).await.is_err() {
                    break;
                }
            }
        }
    });
    let back = tokio::spawn(async move { tokio::io::copy(&mut from_victim, &mut to_node).await });
    timeout(PATIENCE, node.wait()).await??;
    let mut told = String::new();
    if let Some(mut stdout) = node.stdout.take() {
        stdout.read_to_string(&mut told).await?;
    }
    there.abort();
    back.abort();
    if !told.contains("join_ms") {
        return Err(format!("nothing to record: {told}").into());
    }
    Ok(std::mem::take(&mut *recorded.lock().await))
}
