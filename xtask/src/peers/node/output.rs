//! What a node prints.

use std::{
    io::{BufRead, BufReader, Read},
    sync::{
        PoisonError,
        mpsc::{Receiver, channel},
    },
    thread,
    time::Instant,
};

use super::{Panics, log::Log};
use crate::peers::programs::Kind;

/// The lines, and when each came.
pub(super) fn lines_of(stream: impl Read + Send + 'static) -> Receiver<(Instant, String)> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send((Instant::now(), line)).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Takes down what a node logs, and panics of our nodes, and shows it when all are asked to log.
pub(super) fn watch(
    stderr: impl Read + Send + 'static,
    node: String,
    kind: Kind,
    panics: Panics,
    log: Log,
) {
    let shown = std::env::var_os("PEER_LOG").is_some();
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if shown {
                eprintln!("{node}: {line}");
            }
            if !kind.is_published() && line.contains("panicked at") {
                let mut panics = panics.lock().unwrap_or_else(PoisonError::into_inner);
                panics.push(format!("{node}: {line}"));
            }
            log.push(line);
        }
    });
}
