//! A connection on which anything can be said.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::BytesMut;
use shiome_transport::tls::{ClientConfig, Credentials};
use shiome_wire::{FrameDecoder, MAX_FRAME_LEN, encode, meta::NetworkMessage};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split},
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_rustls::rustls::pki_types::ServerName;

use crate::{Problem, links::HOST};

/// Time for the victim to say what it has to say.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// A stream of bytes, of whatever kind.
pub(crate) trait Bytes: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Bytes for T {}

/// Opens a connection from this address.
pub(crate) async fn connect(from: Ipv4Addr, to: &str) -> io::Result<TcpStream> {
    let to: SocketAddr = to.parse().map_err(io::Error::other)?;
    let socket = TcpSocket::new_v4()?;
    socket.bind((IpAddr::from(from), 0).into())?;
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Closes a connection by a reset, as a host that is gone would.
pub(crate) fn vanish(stream: TcpStream) -> io::Result<()> {
    stream.set_zero_linger()
}

/// A connection to the victim on which frames are exchanged, or bytes that are none.
pub(crate) struct Raw {
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
}

/// The half that speaks.
pub(crate) struct Writer(WriteHalf<Box<dyn Bytes>>);

/// The half that listens.
pub(crate) struct Reader {
    half: ReadHalf<Box<dyn Bytes>>,
    decoder: FrameDecoder,
}

impl Raw {
    pub(crate) fn new(stream: impl Bytes + 'static) -> Self {
        let stream: Box<dyn Bytes> = Box::new(stream);
        let (half, writer) = split(stream);
        Self {
            reader: Reader {
                half,
                decoder: FrameDecoder::new(MAX_FRAME_LEN),
            },
            writer: Writer(writer),
        }
    }

    pub(crate) async fn tcp(from: Ipv4Addr, to: &str) -> io::Result<Self> {
        Ok(Self::new(connect(from, to).await?))
    }

    /// Over TLS, with that certificate or none.
    pub(crate) async fn tls(
        from: Ipv4Addr,
        to: &str,
        credentials: &Arc<Credentials>,
    ) -> Result<Self, Problem> {
        let stream = connect(from, to).await?;
        let config = ClientConfig::new(credentials)?;
        let server = ServerName::try_from(HOST)?;
        Ok(Self::new(config.connect(server, stream).await?))
    }
}

impl Writer {
    /// Sends messages in one go.
    pub(crate) async fn send(&mut self, messages: &[NetworkMessage]) -> io::Result<()> {
        self.bytes(&frames(messages)).await
    }

    /// Sends any bytes.
    pub(crate) async fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).await?;
        self.0.flush().await
    }
}

/// The messages as they go over the wire, without regard to any limit.
pub(crate) fn frames(messages: &[NetworkMessage]) -> BytesMut {
    let mut buf = BytesMut::new();
    for message in messages {
        encode(message, u64::MAX, &mut buf).expect("no message is longer than u64::MAX");
    }
    buf
}

/// A frame that says it is so long, and has what it has.
pub(crate) fn frame(announced: u64, body: &[u8]) -> Vec<u8> {
    let mut frame = announced.to_be_bytes().to_vec();
    frame.extend_from_slice(body);
    frame
}

impl Reader {
    /// The next message; `None` when the victim has closed the connection, in whatever way.
    pub(crate) async fn next(&mut self) -> Option<NetworkMessage> {
        loop {
            match self.decoder.next_frame() {
                Ok(Some(frame)) => return frame.decode().ok(),
                Ok(None) => {}
                Err(_) => return None,
            }
            match self.half.read_buf(self.decoder.read_buf()).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// Waits until the victim closes the connection; `false` when it has not in that time. What it says is dropped.
    pub(crate) async fn closed_within(&mut self, limit: Duration) -> bool {
        let mut dropped = vec![0; 64 * 1024];
        let closed =
            async { while matches!(self.half.read(&mut dropped).await, Ok(read) if read > 0) {} };
        timeout(limit, closed).await.is_ok()
    }
}
