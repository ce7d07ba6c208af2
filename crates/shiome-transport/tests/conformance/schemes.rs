//! The schemes, and how a link of each is opened.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use shiome_transport::{
    Accepted, Address, Bind, BoxFuture, Connector, Link, Links, Listener, Policy, Remote, Scheme,
    Security, TransportError,
    memory::{Network, fault::Conditions},
};
use tokio::{
    io::duplex,
    sync::{Mutex, mpsc},
};
use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig, crypto::ring, pki_types::PrivatePkcs8KeyDer,
    },
};

/// A scheme, and an address of it that is free each time.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) links: Links,
    pub(crate) security: Security,
    address: Arc<dyn Fn(u32) -> String + Send + Sync>,
}

impl Case {
    fn new(
        name: &'static str,
        links: &Links,
        security: Security,
        address: impl Fn(u32) -> String + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            links: links.clone(),
            security,
            address: Arc::new(address),
        }
    }

    pub(crate) async fn listen(&self) -> Box<dyn Listener> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let address = self.links.address(&(self.address)(n)).unwrap();
        self.links.listen(&address).await.unwrap()
    }

    /// A link: the end that dialled, and the one that accepted.
    pub(crate) async fn open(&self) -> (Link, Link) {
        let mut listener = self.listen().await;
        let address = listener.local().clone();
        let accepts = async { listener.accept().await?.establish().await };
        let (here, there) = tokio::join!(self.links.dial(&address), accepts);
        (here.unwrap(), there.unwrap())
    }
}

/// An acceptor for `127.0.0.1` and a connector that trusts it.
fn tls_ends() -> (TlsConnector, TlsAcceptor) {
    let signed = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let provider = Arc::new(ring::default_provider());
    let key = PrivatePkcs8KeyDer::from(signed.signing_key.serialize_der());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key.into())
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(signed.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(client).into(), Arc::new(server).into())
}

pub(crate) fn all() -> Vec<Case> {
    let (connector, acceptor) = tls_ends();
    let links = Links::new(Policy::Any)
        .with_tls_streams(Some(connector), Some(acceptor))
        .with_scheme("mem", Network::default().scheme("dialler"))
        .with_scheme("pipe", pipe());
    let far = links.clone().with_scheme("mem", far());
    #[cfg_attr(not(any(unix, feature = "websocket")), allow(unused_mut))]
    let mut cases = vec![
        Case::new("tcp", &links, Security::Plain, |_| "127.0.0.1:0".to_owned()),
        Case::new("tls", &links, Security::Tls, |_| {
            "tls://127.0.0.1:0".to_owned()
        }),
        Case::new("mem", &links, Security::Local, |n| format!("mem:{n}")),
        Case::new("mem (far)", &far, Security::Local, |n| format!("mem:{n}")),
        Case::new("pipe", &links, Security::Unknown, |n| {
            format!("pipe:all/{n}")
        }),
    ];
    #[cfg(unix)]
    cases.push(unix(&links));
    #[cfg(feature = "websocket")]
    cases.extend(web(&links));
    cases
}

#[cfg(feature = "websocket")]
fn web(links: &Links) -> [Case; 3] {
    let links = links
        .clone()
        .with_websocket(shiome_transport::websocket::Origins::none())
        .with_scheme("hyper", crate::web_server::scheme());
    [
        Case::new("ws", &links, Security::Plain, |_| {
            "ws://127.0.0.1:0".to_owned()
        }),
        Case::new("wss", &links, Security::Tls, |_| {
            "wss://127.0.0.1:0/cluster".to_owned()
        }),
        Case::new("ws (hyper)", &links, Security::Plain, |_| {
            "hyper:any".to_owned()
        }),
    ]
}

#[cfg(unix)]
fn unix(links: &Links) -> Case {
    let dir = tempfile::tempdir().unwrap();
    Case::new("unix", links, Security::Local, move |n| {
        format!("unix:{}/{n}", dir.path().display())
    })
}

/// Memory where bytes take a while.
fn far() -> Scheme {
    let conditions = Conditions::default().with_latency(Duration::from_millis(1));
    Network::default().scheme_under("dialler", move |_| conditions, |_, _| {})
}

/// A third party's scheme: one pipe for all, whatever the address.
fn pipe() -> Scheme {
    let (dialled, accepted) = mpsc::channel(8);
    Scheme::new(Security::Unknown)
        .with_connector(Pipe(dialled))
        .with_bind(PipeBind(Arc::new(Mutex::new(accepted))))
}

struct Pipe(mpsc::Sender<Link>);

impl Connector for Pipe {
    fn dial<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, Result<Link, TransportError>> {
        Box::pin(async move {
            let (here, there) = duplex(10_000);
            let there = Link::from_stream(there, "caller", address.rest(), Security::Unknown);
            self.0
                .send(there)
                .await
                .map_err(|_| TransportError::Other("nobody accepts".into()))?;
            Ok(Link::from_stream(
                here,
                address.rest(),
                "caller",
                Security::Unknown,
            ))
        })
    }
}

struct PipeBind(Arc<Mutex<mpsc::Receiver<Link>>>);

impl Bind for PipeBind {
    fn listen<'a>(
        &'a self,
        address: &'a Address,
    ) -> BoxFuture<'a, Result<Box<dyn Listener>, TransportError>> {
        let accepted = Arc::clone(&self.0);
        let local = address.clone();
        Box::pin(async move {
            let listener: Box<dyn Listener> = Box::new(PipeListener { accepted, local });
            Ok(listener)
        })
    }
}

struct PipeListener {
    accepted: Arc<Mutex<mpsc::Receiver<Link>>>,
    local: Address,
}

impl Listener for PipeListener {
    fn local(&self) -> &Address {
        &self.local
    }

    fn accept(&mut self) -> BoxFuture<'_, Result<Accepted, TransportError>> {
        Box::pin(async {
            let link = self
                .accepted
                .lock()
                .await
                .recv()
                .await
                .expect("the connector lives");
            Ok(Accepted::new(Remote::labelled(&link.peer), async {
                Ok(link)
            }))
        })
    }
}
