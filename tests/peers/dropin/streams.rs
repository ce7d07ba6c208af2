//! The byte streams that a cluster can run over.

use std::net::SocketAddr;

use ractor_cluster::{BoxRead, BoxWrite, ClusterBidiStream, NetworkStream};
use tokio::io::{DuplexStream, copy_bidirectional, duplex, split};
use tokio::net::TcpStream;

const PIPE_CAPACITY: usize = 64 * 1024;

/// An in-memory pipe; the socket that carries it between the processes is none of the cluster's business.
pub struct Pipe {
    stream: DuplexStream,
    label: Option<String>,
}

impl Pipe {
    pub fn over(mut socket: TcpStream, label: Option<&str>) -> Self {
        let (stream, mut far) = duplex(PIPE_CAPACITY);
        tokio::spawn(async move {
            // The pipe is as long as the socket: either end closes both.
            let _ = copy_bidirectional(&mut far, &mut socket).await;
        });
        Self {
            stream,
            label: label.map(str::to_owned),
        }
    }

    /// The same pipe as a network stream.
    pub fn into_network_stream(self) -> NetworkStream {
        let (peer_label, local_label) = (self.peer_label(), self.local_label());
        let (reader, writer) = Box::new(self).split();
        NetworkStream::External {
            peer_label,
            local_label,
            reader,
            writer,
        }
    }
}

impl ClusterBidiStream for Pipe {
    fn split(self: Box<Self>) -> (BoxRead, BoxWrite) {
        let (reader, writer) = split(self.stream);
        (Box::new(reader), Box::new(writer))
    }

    fn peer_label(&self) -> Option<String> {
        self.label.clone()
    }

    fn local_label(&self) -> Option<String> {
        self.label.as_ref().map(|label| format!("{label}-local"))
    }
}

/// A pipe without labels, as the trait leaves them.
pub struct Unlabelled(pub Pipe);

impl ClusterBidiStream for Unlabelled {
    fn split(self: Box<Self>) -> (BoxRead, BoxWrite) {
        Box::new(self.0).split()
    }
}

pub fn raw(stream: TcpStream) -> Result<NetworkStream, String> {
    let (peer_addr, local_addr) = addresses(&stream)?;
    Ok(NetworkStream::Raw {
        peer_addr,
        local_addr,
        stream,
    })
}

pub fn addresses(stream: &TcpStream) -> Result<(SocketAddr, SocketAddr), String> {
    let ends = stream
        .peer_addr()
        .and_then(|peer| Ok((peer, stream.local_addr()?)));
    ends.map_err(|error| error.to_string())
}

pub async fn dial(address: &str) -> Result<TcpStream, String> {
    TcpStream::connect(address)
        .await
        .map_err(|error| error.to_string())
}
