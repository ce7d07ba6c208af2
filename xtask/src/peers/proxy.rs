//! A proxy that can stop carrying bytes and keep the connections open: what is left of a network after a peer lost power.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

/// The first byte of each TLS connection: the content type `handshake` (RFC 8446 §5.1). A node's first frame begins with
/// the zeros of its length.
const TLS_HANDSHAKE: u8 = 22;

/// Carries connections to one address. Dropped, it closes them.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    swallows: AtomicBool,
    closed: AtomicBool,
    /// Connections by what their diallers said first.
    tls: AtomicUsize,
    plain: AtomicUsize,
    /// Both ends of every connection: held, so that none is closed because its other end was.
    ends: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// Listens on a port of its own.
    ///
    /// # Errors
    ///
    /// What to tell when that is not possible.
    pub(crate) fn to(target: String) -> Result<Self, String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|e| e.to_string())?;
        let address = listener.local_addr().map_err(|e| e.to_string())?;
        let shared = Arc::<Shared>::default();
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if accepting.closed.load(Ordering::SeqCst) {
                    return;
                }
                // A target that does not take connections is told by closing this one.
                if let Ok(far) = TcpStream::connect(&target) {
                    accepting.carry(&near, &far);
                }
            }
        });
        Ok(Self { address, shared })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections whose diallers have begun to speak TLS.
    pub(crate) fn tls_dials(&self) -> usize {
        self.shared.tls.load(Ordering::SeqCst)
    }

    /// Connections whose diallers have begun to speak anything else.
    pub(crate) fn plain_dials(&self) -> usize {
        self.shared.plain.load(Ordering::SeqCst)
    }

    /// From now on nothing arrives any more, not even that a side has closed, and nobody can tell.
    pub(crate) fn swallow(&self) {
        self.shared.swallows.store(true, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
        for end in self.shared.ends().drain(..) {
            // Closed already by its peer, or closed now.
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn ends(&self) -> MutexGuard<'_, Vec<TcpStream>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts to copy between the two. Without the handles for it, both are closed.
    fn carry(self: &Arc<Self>, near: &TcpStream, far: &TcpStream) {
        for (from, to, first) in [(near, far, true), (far, near, false)] {
            let (Ok(from), Ok(to), Ok(held)) = (from.try_clone(), to.try_clone(), from.try_clone())
            else {
                return;
            };
            // What waits for more to be sent with it would make the proxy visible.
            let _ = to.set_nodelay(true);
            self.ends().push(held);
            let shared = Arc::clone(self);
            thread::spawn(move || shared.copy(from, to, first));
        }
    }

    /// `first`: what comes first is to be looked at.
    fn copy(&self, mut from: TcpStream, mut to: TcpStream, mut first: bool) {
        let mut buffer = [0; 64 * 1024];
        loop {
            let read = from.read(&mut buffer).unwrap_or(0);
            if std::mem::take(&mut first) && read > 0 {
                let of_its_kind = match buffer[0] {
                    TLS_HANDSHAKE => &self.tls,
                    _ => &self.plain,
                };
                of_its_kind.fetch_add(1, Ordering::SeqCst);
            }
            let swallows = self.swallows.load(Ordering::SeqCst);
            if read == 0 {
                if !swallows {
                    // The other side may be gone as well.
                    let _ = to.shutdown(Shutdown::Both);
                }
                return;
            }
            if !swallows && to.write_all(&buffer[..read]).is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::ErrorKind, time::Duration};

    use super::*;

    #[test]
    fn tells_tls_from_all_else() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let target = listener.local_addr().unwrap().to_string();
        let proxy = Proxy::to(target).unwrap();
        for first in [[22, 0], [0, 22], [22, 3]] {
            let mut near = TcpStream::connect(proxy.address()).unwrap();
            let (mut far, _) = listener.accept().unwrap();
            near.write_all(&first).unwrap();
            far.read_exact(&mut [0; 2]).unwrap();
        }
        assert_eq!((proxy.tls_dials(), proxy.plain_dials()), (2, 1));
    }

    #[test]
    fn carries_until_it_swallows_and_then_keeps_silent() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let target = listener.local_addr().unwrap().to_string();
        let proxy = Proxy::to(target).unwrap();
        let mut near = TcpStream::connect(proxy.address()).unwrap();
        let (mut far, _) = listener.accept().unwrap();

        near.write_all(b"a").unwrap();
        let mut byte = [0];
        far.read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"a");

        proxy.swallow();
        near.write_all(b"b").unwrap();
        drop(near);
        far.set_read_timeout(Some(Duration::from_millis(100)))
            .unwrap();
        let silent = far.read(&mut byte).unwrap_err().kind();
        assert!(matches!(
            silent,
            ErrorKind::WouldBlock | ErrorKind::TimedOut
        ));

        far.set_read_timeout(None).unwrap();
        drop(proxy);
        assert_eq!(far.read(&mut byte).unwrap_or(0), 0);
    }
}
