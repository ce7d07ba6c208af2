//! What a link is as two streams of bytes.

use std::{future::poll_fn, io, pin::Pin, task::Poll};

use shiome_transport::BoxWrite;
use tokio::{
    io::{AsyncReadExt, AsyncWrite, AsyncWriteExt},
    task::yield_now,
};

use crate::schemes::Case;

/// More than any scheme may hold of what nobody reads: buffers of the kernel at both ends, and those above.
const MAX_HELD: usize = 32 * 1024 * 1024;

/// Times that others may run before a write that makes no progress is taken for one that waits.
const PATIENCE: usize = 200;

/// Bytes that tell their position.
fn pattern(from: usize, len: usize) -> Vec<u8> {
    (from..from + len)
        .map(|at| (at * 31 / 7 + at / 251) as u8)
        .collect()
}

/// The second that connects is served although the first says nothing.
pub(crate) async fn accept_waits_for_nobody(case: Case) {
    let mut listener = case.listen().await;
    let address = listener.local().clone();
    let links = case.links.clone();
    let dial = tokio::spawn({
        let address = address.clone();
        async move { links.dial(&address).await }
    });
    let first = listener.accept().await.unwrap();
    assert!(!first.remote().label.is_empty());
    let has_ip = !["mem", "mem (far)", "pipe", "rtc", "unix"].contains(&case.name);
    assert_eq!(first.remote().ip.is_some(), has_ip);

    let accepts = async { listener.accept().await?.establish().await };
    let (here, there) = tokio::join!(case.links.dial(&address), accepts);
    let (mut here, mut there) = (here.unwrap(), there.unwrap());
    here.writer.write_all(b"second").await.unwrap();
    here.writer.flush().await.unwrap();
    let mut read = [0; 6];
    there.reader.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"second");

    let (dialled, first) = tokio::join!(dial, first.establish());
    let (mut dialled, mut first) = (dialled.unwrap().unwrap(), first.unwrap());
    first.writer.write_all(b"first!").await.unwrap();
    first.writer.flush().await.unwrap();
    dialled.reader.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"first!");
}

/// What ends in one direction goes on in the other.
pub(crate) async fn half_close(case: Case) {
    let (mut here, mut there) = case.open().await;
    here.writer.write_all(b"that is all").await.unwrap();
    here.writer.shutdown().await.unwrap();
    let mut read = Vec::new();
    there.reader.read_to_end(&mut read).await.unwrap();
    assert_eq!(read, b"that is all");

    let answer = pattern(0, 3_000_000);
    let writes = async {
        there.writer.write_all(&answer).await.unwrap();
        there.writer.shutdown().await.unwrap();
    };
    let mut read = Vec::new();
    let reads = here.reader.read_to_end(&mut read);
    let ((), reads) = tokio::join!(writes, reads);
    assert_eq!(reads.unwrap(), answer.len());
    assert!(read == answer, "bytes differ");
    // The end stays the end.
    assert_eq!(there.reader.read(&mut [0; 8]).await.unwrap(), 0);
    assert_eq!(here.reader.read(&mut [0; 8]).await.unwrap(), 0);
}

/// Everything arrives at one that reads little at a time, and as it was.
pub(crate) async fn slow_reader(case: Case) {
    let (mut here, mut there) = case.open().await;
    let sent = pattern(0, 4_000_000);
    let writes = async {
        for chunk in sent.chunks(100_000) {
            here.writer.write_all(chunk).await.unwrap();
            here.writer.flush().await.unwrap();
        }
        here.writer.shutdown().await.unwrap();
    };
    let reads = async {
        let mut read = Vec::new();
        loop {
            // One byte, then a few thousand.
            let len = 1 + read.len() % 3 * 2500;
            let mut chunk = vec![0; len];
            match there.reader.read(&mut chunk).await.unwrap() {
                0 => return read,
                len => read.extend_from_slice(&chunk[..len]),
            }
            yield_now().await;
        }
    };
    let ((), read) = tokio::join!(writes, reads);
    assert!(read == sent, "bytes differ");
}

/// Writes some of `buf`, or `None` if the link takes nothing.
async fn write_some(writer: &mut BoxWrite, buf: &[u8]) -> Option<io::Result<usize>> {
    for _ in 0..PATIENCE {
        let polled = poll_fn(|cx| {
            Poll::Ready(match Pin::new(&mut *writer).poll_write(cx, buf) {
                Poll::Ready(result) => Some(result),
                Poll::Pending => None,
            })
        });
        if let Some(result) = polled.await {
            return Some(result);
        }
        yield_now().await;
    }
    None
}

/// Who writes to one that does not read has to wait; nothing is lost.
pub(crate) async fn back_pressure(case: Case) {
    let (mut here, mut there) = case.open().await;
    let mut written = 0;
    while let Some(len) = write_some(&mut here.writer, &pattern(written, 50_000)).await {
        written += len.unwrap();
        assert!(written < MAX_HELD, "{written} bytes and still going");
    }
    assert!(written > 0);
    let reads = async {
        let mut read = Vec::new();
        there.reader.read_to_end(&mut read).await.unwrap();
        read
    };
    let writes = async {
        here.writer.write_all(b"at last").await.unwrap();
        here.writer.shutdown().await.unwrap();
    };
    let (read, ()) = tokio::join!(reads, writes);
    let (held, last) = read.split_at(written);
    assert!(held == pattern(0, written), "bytes differ");
    assert_eq!(last, b"at last");
}
