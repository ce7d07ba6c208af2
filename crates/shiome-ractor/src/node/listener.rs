use std::{io, sync::Arc, time::Duration};

use ractor::ActorRef;
use shiome_transport::tls;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::sleep,
};
use tracing::{debug, warn};

use super::{NodeServerMessage, client};
use crate::{IncomingEncryptionMode, NetworkStream};

/// TLS handshakes under way at a time. Above that connections are closed at once; each holds some 40 KiB.
const MAX_TLS_HANDSHAKES: usize = 256;

/// Pause after a failed accept. The usual cause, too many open files, does not go away faster.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Accepts connections and hands them to the node server, until it is gone.
pub(super) async fn run(
    listener: TcpListener,
    encryption: IncomingEncryptionMode,
    server: ActorRef<NodeServerMessage>,
) {
    let handshakes = Arc::new(Semaphore::new(MAX_TLS_HANDSHAKES));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!(%error, "accept failed");
                sleep(ACCEPT_RETRY).await;
                continue;
            }
        };
        let opened = match &encryption {
            IncomingEncryptionMode::Raw => accept_raw(stream, &server),
            IncomingEncryptionMode::Tls(acceptor) => {
                let Ok(permit) = Arc::clone(&handshakes).try_acquire_owned() else {
                    warn!("too many TLS handshakes under way, connection closed");
                    continue;
                };
                let (acceptor, server) = (acceptor.clone(), server.clone());
                // In a task of its own: a silent client holds up nobody.
                tokio::spawn(async move {
                    let _permit = permit;
                    if let Err(error) = accept_tls(stream, &acceptor, &server).await {
                        debug!(%error, "TLS handshake failed");
                    }
                });
                Ok(())
            }
        };
        if let Err(error) = opened {
            debug!(%error, "accepted connection is gone already");
        }
    }
}

fn accept_raw(stream: TcpStream, server: &ActorRef<NodeServerMessage>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    open(client::raw(stream)?, server);
    Ok(())
}

async fn accept_tls(
    stream: TcpStream,
    acceptor: &tokio_rustls::TlsAcceptor,
    server: &ActorRef<NodeServerMessage>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (peer_addr, local_addr) = (stream.peer_addr()?, stream.local_addr()?);
    let stream = tls::accept(acceptor, stream).await?;
    let stream = NetworkStream::TlsServer {
        peer_addr,
        local_addr,
        stream,
    };
    open(stream, server);
    Ok(())
}

fn open(stream: NetworkStream, server: &ActorRef<NodeServerMessage>) {
    // Fails only when the server is gone, and then this task is about to be.
    let _ = server.cast(NodeServerMessage::ConnectionOpened {
        stream: Box::new(stream),
        is_server: true,
    });
}
