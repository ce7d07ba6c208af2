//! A reliable connection within the process.

use std::{collections::VecDeque, io};

use memberlist_core::{
    proto::{ProtoReader, ProtoWriter},
    transport::Connection,
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{Instant, sleep_until},
};

use super::hub::Hub;

/// One end.
#[derive(Debug)]
pub(crate) struct Wire {
    reader: Reader,
    writer: Writer,
}

/// Bytes, and when they arrive.
type Piece = (Instant, Vec<u8>);

#[derive(Debug)]
pub(crate) struct Reader {
    pieces: UnboundedReceiver<Piece>,
    arrived: VecDeque<u8>,
}

#[derive(Debug)]
pub(crate) struct Writer {
    pieces: Option<UnboundedSender<Piece>>,
    hub: Hub,
}

/// Both ends of a connection.
pub(super) fn pair(hub: Hub) -> (Wire, Wire) {
    let ((a, from_a), (b, from_b)) = (unbounded_channel(), unbounded_channel());
    let wire = |pieces, out, hub| Wire {
        reader: Reader {
            pieces,
            arrived: VecDeque::new(),
        },
        writer: Writer {
            pieces: Some(out),
            hub,
        },
    };
    (wire(from_b, a, hub.clone()), wire(from_a, b, hub))
}

impl Reader {
    /// Waits for `wanted` bytes or the end. Returns how many there are.
    async fn fill(&mut self, wanted: usize) -> usize {
        while self.arrived.len() < wanted {
            let Some((at, bytes)) = self.pieces.recv().await else {
                break;
            };
            sleep_until(at).await;
            self.arrived.extend(bytes);
        }
        self.arrived.len()
    }

    /// Copies what there is to the beginning of `buf`.
    fn copy(&self, buf: &mut [u8]) -> usize {
        let len = buf.len().min(self.arrived.len());
        for (to, from) in buf.iter_mut().zip(&self.arrived) {
            *to = *from;
        }
        len
    }
}

impl ProtoReader for Reader {
    async fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.fill(1).await;
        let len = self.copy(buf);
        self.arrived.drain(..len);
        Ok(len)
    }

    async fn read_exact(&mut self, buf: &mut [u8]) -> io::Result<()> {
        self.peek_exact(buf).await?;
        self.arrived.drain(..buf.len());
        Ok(())
    }

    async fn peek(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.fill(1).await;
        Ok(self.copy(buf))
    }

    async fn peek_exact(&mut self, buf: &mut [u8]) -> io::Result<()> {
        if self.fill(buf.len()).await < buf.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.copy(buf);
        Ok(())
    }
}

impl ProtoWriter for Writer {
    async fn close(&mut self) -> io::Result<()> {
        self.pieces = None;
        Ok(())
    }

    async fn write_all(&mut self, payload: &[u8]) -> io::Result<()> {
        let piece = (self.hub.stream(payload.len()), payload.to_vec());
        let sent = self.pieces.as_ref().map(|pieces| pieces.send(piece));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Connection for Wire {
    type Reader = Reader;
    type Writer = Writer;

    fn split(self) -> (Reader, Writer) {
        (self.reader, self.writer)
    }

    async fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buf).await
    }

    async fn read_exact(&mut self, buf: &mut [u8]) -> io::Result<()> {
        self.reader.read_exact(buf).await
    }

    async fn peek(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.reader.peek(buf).await
    }

    async fn peek_exact(&mut self, buf: &mut [u8]) -> io::Result<()> {
        self.reader.peek_exact(buf).await
    }

    async fn write_all(&mut self, payload: &[u8]) -> io::Result<()> {
        self.writer.write_all(payload).await
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.writer.flush().await
    }

    async fn close(&mut self) -> io::Result<()> {
        self.writer.close().await
    }
}
