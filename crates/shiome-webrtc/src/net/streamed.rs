//! A TURN server that is reached by a stream (RFC 8656 §2.1), as a socket: each message is a datagram.

use std::{
    collections::VecDeque,
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use shiome_transport::{BoxRead, BoxWrite, SocketAddrs};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Socket;
use crate::session::DATAGRAM_LEN;

/// Bytes of a message before those that its length counts (RFC 8489 §5).
const HEAD_LEN: usize = 20;

/// Bytes that wait to be written. More are lost, as in the queue of any socket.
const MAX_UNWRITTEN: usize = 256 * 1024;

/// The stream. What the server says at last is an empty datagram: there will be none after it.
pub(crate) struct Streamed {
    addrs: SocketAddrs,
    inner: Mutex<Inner>,
}

struct Inner {
    reader: BoxRead,
    writer: BoxWrite,
    /// What came, up to a message and what has come with its end.
    read: Vec<u8>,
    unwritten: VecDeque<u8>,
    unflushed: bool,
    ended: bool,
    told: bool,
}

/// A length that no message may have, or none at all: a message of a channel, of which we open none.
struct Malformed;

impl Streamed {
    pub(crate) fn new(addrs: SocketAddrs, (reader, writer): (BoxRead, BoxWrite)) -> Self {
        Self {
            addrs,
            inner: Mutex::new(Inner {
                reader,
                writer,
                read: Vec::new(),
                unwritten: VecDeque::new(),
                unflushed: false,
                ended: false,
                told: false,
            }),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // What is inside is whole after any panic.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Writes as much as goes at once.
    fn write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unwritten.is_empty() {
            let (front, _) = self.unwritten.as_slices();
            let written = ready!(Pin::new(&mut self.writer).poll_write(cx, front))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unwritten.drain(..written);
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.writer).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn write_on(&mut self, cx: &mut Context<'_>) {
        if let Poll::Ready(Err(_)) = self.write(cx) {
            self.end();
        }
    }

    fn end(&mut self) {
        self.ended = true;
        self.read.clear();
        self.unwritten.clear();
    }

    /// How long the message is that has come whole.
    fn whole(&self) -> Result<Option<usize>, Malformed> {
        let Some((head, _)) = self.read.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let len = HEAD_LEN + usize::from(u16::from_be_bytes([head[2], head[3]]));
        if head[0] & 0xc0 != 0 || len > DATAGRAM_LEN {
            return Err(Malformed);
        }
        Ok((len <= self.read.len()).then_some(len))
    }

    /// The next message; an empty one, once, at the end.
    fn poll_next(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<()> {
        self.write_on(cx);
        while !self.ended {
            match self.whole() {
                Ok(Some(len)) => {
                    // What is read into has room for the longest.
                    let fits = len.min(buf.remaining());
                    buf.put_slice(&self.read[..fits]);
                    self.read.drain(..len);
                    return Poll::Ready(());
                }
                Ok(None) => ready!(self.poll_read(cx)),
                Err(Malformed) => self.end(),
            }
        }
        match std::mem::replace(&mut self.told, true) {
            false => Poll::Ready(()),
            true => Poll::Pending,
        }
    }

    /// Reads more.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut bytes = [0; DATAGRAM_LEN];
        let mut into = ReadBuf::new(&mut bytes);
        let read = ready!(Pin::new(&mut self.reader).poll_read(cx, &mut into));
        if read.is_err() || into.filled().is_empty() {
            self.end();
        } else {
            self.read.extend_from_slice(into.filled());
        }
        Poll::Ready(())
    }
}

impl Socket for Streamed {
    fn local_addr(&self) -> SocketAddr {
        self.addrs.local
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        ready!(self.inner().poll_next(cx, buf));
        Poll::Ready(Ok(self.addrs.peer))
    }

    fn try_recv(&self, buf: &mut [u8]) -> Option<(usize, SocketAddr)> {
        let mut buf = ReadBuf::new(buf);
        // Who waits polls again, and is woken then.
        let mut cx = Context::from_waker(Waker::noop());
        match self.inner().poll_next(&mut cx, &mut buf) {
            Poll::Ready(()) => Some((buf.filled().len(), self.addrs.peer)),
            Poll::Pending => None,
        }
    }

    fn send(&self, _: SocketAddr, bytes: &[u8]) {
        let mut inner = self.inner();
        if inner.ended || inner.unwritten.len() + bytes.len() > MAX_UNWRITTEN {
            return;
        }
        inner.unwritten.extend(bytes);
        inner.unflushed = true;
        // What does not go now goes with the next wait for something to come.
        inner.write_on(&mut Context::from_waker(Waker::noop()));
    }
}

impl fmt::Debug for Streamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Streamed").field(&self.addrs).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split};

    use super::*;

    fn streamed(room: usize) -> (Streamed, DuplexStream) {
        let (near, far) = duplex(room);
        let (reader, writer) = split(near);
        let addr = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let addrs = SocketAddrs {
            peer: addr(3478),
            local: addr(40_000),
        };
        (
            Streamed::new(addrs, (Box::new(reader), Box::new(writer))),
            far,
        )
    }

    async fn next(socket: &Streamed) -> Vec<u8> {
        let mut bytes = vec![0; DATAGRAM_LEN];
        let len = poll_fn(|cx| {
            let mut buf = ReadBuf::new(&mut bytes);
            socket.poll_recv(cx, &mut buf).map(|received| {
                assert_eq!(received.unwrap().port(), 3478);
                buf.filled().len()
            })
        });
        let len = len.await;
        bytes.truncate(len);
        bytes
    }

    /// A message with so many bytes after its head.
    fn message(len: u16) -> Vec<u8> {
        let mut message = vec![0x01, 0x01];
        message.extend(len.to_be_bytes());
        message.resize(HEAD_LEN + usize::from(len), 7);
        message
    }

    #[tokio::test]
    async fn messages_come_whole_however_they_are_cut() {
        let (socket, mut far) = streamed(16);
        let sent = [message(0), message(100), message(2000)];
        let all = sent.concat();
        let writes = async {
            for bytes in all.chunks(7) {
                far.write_all(bytes).await.unwrap();
            }
            far
        };
        let reads = async {
            for sent in &sent {
                assert_eq!(next(&socket).await, *sent);
            }
        };
        let (far, ()) = tokio::join!(writes, reads);
        assert!(socket.try_recv(&mut [0; DATAGRAM_LEN]).is_none());
        drop(far);
        assert_eq!(next(&socket).await, b"", "the end is told");
        assert!(socket.try_recv(&mut [0; DATAGRAM_LEN]).is_none(), "once");
    }

    #[tokio::test]
    async fn what_is_no_message_ends_the_stream() {
        let too_long = [0, 1, 0xff, 0xff];
        let of_a_channel = [0x40, 0, 0, 4, 1, 2, 3, 4];
        for bytes in [&too_long[..], &of_a_channel] {
            let (socket, mut far) = streamed(1024);
            far.write_all(bytes).await.unwrap();
            assert_eq!(next(&socket).await, b"");
            socket.send(socket.addrs.peer, b"lost");
            assert!(socket.inner().unwritten.is_empty());
        }
    }

    #[tokio::test]
    async fn what_is_sent_goes_in_order_as_there_is_room_and_is_bounded() {
        let (socket, mut far) = streamed(16);
        let sent = message(60);
        for _ in 0..MAX_UNWRITTEN {
            socket.send(socket.addrs.peer, &sent);
        }
        let waits = socket.inner().unwritten.len();
        assert!((MAX_UNWRITTEN - sent.len()..=MAX_UNWRITTEN).contains(&waits));
        let mut read = vec![0; 10 * sent.len()];
        tokio::select! {
            _ = next(&socket) => panic!("nothing comes"),
            done = far.read_exact(&mut read) => drop(done.unwrap()),
        }
        assert_eq!(read, sent.repeat(10));
    }
}
