//! A session that panics.

use super::*;

/// A network that fails in the worst way when it is told to.
#[derive(Debug)]
struct Brittle(Arc<dyn crate::net::Net>, Arc<std::sync::atomic::AtomicBool>);

#[derive(Debug)]
struct BrittleSocket(
    Box<dyn crate::net::Socket>,
    Arc<std::sync::atomic::AtomicBool>,
);

impl crate::net::Net for Brittle {
    fn addresses(&self) -> Vec<std::net::IpAddr> {
        self.0.addresses()
    }

    fn bind(&self, address: std::net::IpAddr) -> std::io::Result<Box<dyn crate::net::Socket>> {
        let socket = self.0.bind(address)?;
        Ok(Box::new(BrittleSocket(socket, Arc::clone(&self.1))))
    }

    fn resolve(
        &self,
        host: String,
        port: u16,
    ) -> shiome_bus::BoxFuture<'static, std::io::Result<Vec<std::net::SocketAddr>>> {
        self.0.resolve(host, port)
    }
}

impl crate::net::Socket for BrittleSocket {
    fn local_addr(&self) -> std::net::SocketAddr {
        self.0.local_addr()
    }

    fn poll_recv(
        &self,
        cx: &mut std::task::Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<std::net::SocketAddr>> {
        self.0.poll_recv(cx, buf)
    }

    fn try_recv(&self, buf: &mut [u8]) -> Option<(usize, std::net::SocketAddr)> {
        self.0.try_recv(buf)
    }

    fn send(&self, to: std::net::SocketAddr, bytes: &[u8]) {
        let breaks = self.1.swap(false, std::sync::atomic::Ordering::Relaxed);
        assert!(!breaks, "it breaks");
        self.0.send(to, bytes);
    }
}

/// A session that panics ends as others do.
#[tokio::test(start_paused = true)]
async fn a_panic_ends_one_session_and_its_envelopes_go_another_way() {
    let sky = Sky::new(7, Weather::default());
    let breaks = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let mut a = Machine::new(&sky, "a", "192.0.2.1", friendly());
    let peer = a.bus.peer("a3").unwrap();
    a.rtc = Rtc::start_on(
        &peer,
        friendly(),
        Arc::new(Brittle(sky.net("192.0.2.1"), Arc::clone(&breaks))),
    )
    .unwrap();
    a.events = a.rtc.events();
    let b = Machine::new(&sky, "b", "192.0.2.2", friendly());
    let _relay = relay(&a, &b, 50 * MS);
    peer.wait_for("b", SECOND).await.unwrap();
    a.rtc.connect("b").unwrap();
    a.direct().await;
    breaks.store(true, std::sync::atomic::Ordering::Relaxed);
    for number in 0..20 {
        let intent = Intent::new("number", number).unwrap();
        // While it is found out that the channel is gone.
        let _ = peer.send("b", intent).await;
        tokio::time::sleep(SECOND).await;
    }
    b.hears(15).await;
    a.direct().await;
}
