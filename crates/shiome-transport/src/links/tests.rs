use std::{future::pending, io};

use tokio::time::Instant;

use super::*;
use crate::{listener::Remote, memory::Network};

/// Dials and accepts, and never gets a link.
struct Never;

impl Connector for Never {
    fn dial<'a>(&'a self, _: &'a Address) -> BoxFuture<'a, Result<Link, TransportError>> {
        Box::pin(pending())
    }
}

impl Bind for Never {
    fn listen<'a>(
        &'a self,
        address: &'a Address,
    ) -> BoxFuture<'a, Result<Box<dyn Listener>, TransportError>> {
        Box::pin(async {
            let listener: Box<dyn Listener> = Box::new(NeverListener(address.clone()));
            Ok(listener)
        })
    }
}

struct NeverListener(Address);

impl Listener for NeverListener {
    fn local(&self) -> &Address {
        &self.0
    }

    fn accept(&mut self) -> BoxFuture<'_, Result<Accepted, TransportError>> {
        Box::pin(async { Ok(Accepted::new(Remote::labelled("silent"), pending())) })
    }
}

/// Its links are plain.
struct Plain;

impl Connector for Plain {
    fn dial<'a>(&'a self, _: &'a Address) -> BoxFuture<'a, Result<Link, TransportError>> {
        Box::pin(async {
            let stream = tokio::io::join(tokio::io::empty(), tokio::io::sink());
            Ok(Link::from_stream(stream, "peer", "local", Security::Plain))
        })
    }
}

fn never() -> Scheme {
    Scheme::new(Security::Tls)
        .with_connector(Never)
        .with_bind(Never)
}

#[tokio::test(start_paused = true)]
async fn a_dial_has_its_time() {
    let links = Links::new(Policy::Any).with_scheme("never", never());
    let address = links.address("never:there").unwrap();
    let began = Instant::now();
    let error = links.dial(&address).await.unwrap_err();
    assert!(matches!(error, TransportError::Timeout { after } if after == DIAL_TIMEOUT));
    assert_eq!(began.elapsed(), DIAL_TIMEOUT);

    let minute = Duration::from_secs(60);
    let began = Instant::now();
    assert!(
        links
            .with_dial_timeout(minute)
            .dial(&address)
            .await
            .is_err()
    );
    assert_eq!(began.elapsed(), minute);
}

#[tokio::test(start_paused = true)]
async fn an_accepted_connection_has_its_time() {
    let links = Links::new(Policy::Any).with_scheme("never", never());
    let address = links.address("never:here").unwrap();
    let mut listener = links.listen(&address).await.unwrap();
    assert_eq!(listener.local(), &address);
    let accepted = listener.accept().await.unwrap();
    assert_eq!(accepted.remote().label, "silent");
    let began = Instant::now();
    let error = accepted.establish().await.unwrap_err();
    assert!(matches!(error, TransportError::Timeout { after } if after == ESTABLISH_TIMEOUT));
    assert_eq!(began.elapsed(), ESTABLISH_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn a_scheme_may_give_what_it_accepts_another_time() {
    let minute = Duration::from_secs(60);
    let patient = never().with_establish_timeout(minute);
    let links = Links::new(Policy::Any).with_scheme("never", patient);
    let address = links.address("never:here").unwrap();
    let mut listener = links.listen(&address).await.unwrap();
    let accepted = listener.accept().await.unwrap();
    let began = Instant::now();
    let error = accepted.establish().await.unwrap_err();
    assert!(matches!(error, TransportError::Timeout { after } if after == minute));
    assert_eq!(began.elapsed(), minute);
}

#[tokio::test]
async fn a_node_that_demands_protection_has_no_plain_link() {
    let links = Links::new(Policy::Encrypted)
        .with_scheme("liar", Scheme::new(Security::Tls).with_connector(Plain))
        .with_scheme(
            "unknown",
            Scheme::new(Security::Unknown).with_connector(Plain),
        )
        .with_scheme("mem", Network::default().scheme("here"));
    let unprotected = |error, name: &str| {
        assert!(
            matches!(&error, TransportError::Unprotected { scheme } if scheme == name),
            "{error}"
        );
    };
    for (text, scheme) in [
        ("tcp://127.0.0.1:1", "tcp"),
        ("liar:x", "liar"),
        ("unknown:x", "unknown"),
    ] {
        let address = links.address(text).unwrap();
        unprotected(links.dial(&address).await.unwrap_err(), scheme);
    }
    let tcp = links.address("tcp://127.0.0.1:0").unwrap();
    unprotected(links.listen(&tcp).await.map(drop).unwrap_err(), "tcp");

    let mem = links.address("mem:there").unwrap();
    let listener = links.listen(&mem).await.unwrap();
    assert_eq!(links.dial(&mem).await.unwrap().security, Security::Local);
    drop(listener);
}

#[tokio::test]
async fn an_address_without_a_scheme_is_as_safe_as_the_policy() {
    let of = |policy, text| Links::new(policy).address(text).unwrap().to_string();
    assert_eq!(of(Policy::Any, "a:1"), "tcp://a:1");
    assert_eq!(of(Policy::Encrypted, "a:1"), "tls://a:1");
    assert_eq!(of(Policy::Encrypted, "tcp://a:1"), "tcp://a:1");
    let error = Links::new(Policy::Any).address("a").unwrap_err();
    assert!(matches!(error, TransportError::Address(_)));
}

#[tokio::test]
async fn a_scheme_that_cannot_be_dialled_says_so() {
    let links = Links::new(Policy::Any).with_tls_streams(None, None);
    let unknown = links.address("carrier:pigeon").unwrap();
    let error = links.dial(&unknown).await.unwrap_err();
    assert!(matches!(error, TransportError::UnknownScheme { scheme } if scheme == "carrier"));
    let tls = links.address("tls://127.0.0.1:0").unwrap();
    let dialled = links.dial(&tls).await.map(drop);
    let listened = links.listen(&tls).await.map(drop);
    for result in [dialled, listened] {
        let error = result.unwrap_err();
        assert!(matches!(error, TransportError::NotSetUp { scheme } if scheme == "tls"));
    }
}

#[cfg(feature = "websocket")]
#[tokio::test]
async fn schemes_may_be_added_in_any_order() {
    use crate::websocket::Origins;
    let network = Network::default();
    let tls = |links: Links| links.with_tls_streams(None, None);
    let web = |links: Links| {
        let links = links.with_websocket(Origins::none());
        links.with_proxied_websocket("wss+proxy")
    };
    for links in [
        web(tls(Links::new(Policy::Any))),
        tls(web(Links::new(Policy::Any))),
    ] {
        for scheme in ["tcp", "tls", "ws", "wss", "wss+proxy"] {
            assert!(links.has_scheme(scheme), "{scheme}");
        }
    }
    // One that is there runs on what was put below it later.
    let links = web(Links::new(Policy::Any)).with_scheme("tcp", network.scheme("here"));
    assert!(!links.has_scheme("wss"));
    let address = links.address("ws://nobody:1/").unwrap();
    let error = links.dial(&address).await.unwrap_err();
    let TransportError::Connect(error) = error else {
        panic!("{error}");
    };
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn what_the_system_says_is_told() {
    let links = Links::new(Policy::Any);
    // No other test is there, and listens at the port when it is given back.
    let any = links.address("127.0.80.1:0").unwrap();
    let listener = links.listen(&any).await.unwrap();
    let taken = listener.local().clone();
    assert_ne!(taken.port(), Some(0));
    let error = links.listen(&taken).await.map(drop).unwrap_err();
    let TransportError::Listen(error) = error else {
        panic!("{error}");
    };
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    drop(listener);
    let error = links.dial(&taken).await.unwrap_err();
    let TransportError::Connect(error) = error else {
        panic!("{error}");
    };
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_listener_of_all_addresses_tells_its_port() {
    let links = Links::new(Policy::Any);
    for (text, to) in [("[::]:0", "127.0.0.1"), ("localhost:0", "localhost")] {
        let mut listener = links.listen(&links.address(text).unwrap()).await.unwrap();
        let port = listener.local().port().unwrap();
        let to = Address::socket("tcp", to, port).unwrap();
        let (dialled, accepted) = tokio::join!(links.dial(&to), listener.accept());
        let (dialled, accepted) = (dialled.unwrap(), accepted.unwrap());
        let ip = accepted.remote().ip.unwrap();
        assert!(ip.is_loopback(), "{ip}, of {text}");
        drop((dialled, accepted.establish().await.unwrap()));
    }
}
