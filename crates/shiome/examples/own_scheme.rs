//! A scheme of one's own: `proxy://host:port` leads to a node through an HTTP proxy that tunnels, as many a company has
//! between its networks. Nothing of it is in shiome.
//!
//! ```text
//! cargo run -p shiome --example own_scheme
//! ```
//!
//! It starts a second process for the node at the far end, since a process is one node, and a proxy for lack of another.
#![allow(clippy::print_stdout, reason = "it shows what happens")]

use std::{
    env,
    error::Error,
    net::SocketAddr,
    process::{Command, Stdio},
};

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use shiome::{
    Node, RactorClusterMessage, Security,
    transport::{Address, BoxFuture, Connector, Link, Links, Policy, Scheme, TransportError},
};
use tokio::{
    io::{
        AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader,
        copy_bidirectional,
    },
    net::{TcpListener, TcpStream},
};

/// Bytes of a proxy's answer, or of what it is asked.
const MAX_HEAD_LEN: u64 = 8 * 1024;

/// Dials through an HTTP proxy (RFC 9110 §9.3.6).
struct Tunnel {
    proxy: SocketAddr,
}

impl Connector for Tunnel {
    fn dial<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, Result<Link, TransportError>> {
        Box::pin(async move {
            let stream = TcpStream::connect(self.proxy).await;
            let mut stream = stream.map_err(TransportError::Connect)?;
            let target = address.rest().trim_start_matches('/');
            let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
            let answered = async {
                stream.write_all(request.as_bytes()).await?;
                head(&mut stream).await
            };
            let status = answered.await.map_err(TransportError::Lost)?;
            if !status.starts_with("HTTP/1.1 2") {
                return Err(TransportError::Other(format!("proxy says {status}").into()));
            }
            // Between the two ends there is whoever runs the proxy.
            let link = Link::from_stream(stream, address.to_string(), "tunnel", Security::Plain);
            Ok(link)
        })
    }
}

/// The first line of an HTTP message without a body; the rest of its head is read, too, and not a byte more.
async fn head(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<String> {
    let mut head = Vec::new();
    let mut limited = stream.take(MAX_HEAD_LEN);
    while !head.ends_with(b"\r\n\r\n") {
        head.push(limited.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head);
    Ok(head.lines().next().unwrap_or_default().to_owned())
}

/// Runs the example. `far` starts the process of the other node, which calls [`greet`].
pub(crate) async fn run(far: Command) -> Result<(), Box<dyn Error>> {
    let mut far = tokio::process::Command::from(far);
    let mut far = far.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let said = far.stdout.take().ok_or("no output")?;
    let address = listening(said).await?;
    let proxy = TcpListener::bind("127.0.0.1:0").await?;
    let tunnel = Tunnel {
        proxy: proxy.local_addr()?,
    };
    tokio::spawn(serve(proxy));

    let scheme = Scheme::new(Security::Plain).with_connector(tunnel);
    let near = Node::builder("near@127.0.0.1:0")
        .cookie("a long random secret")
        .links(Links::new(Policy::Any).with_scheme("proxy", scheme))
        .start()
        .await?;
    let session = near.connect(format!("proxy://{address}")).await?;
    println!("joined {} at {}", session.name, session.peer_addr);
    let greeter = near.remote::<Greet>(&session, "greeter");
    let greeter = greeter.ok_or("there is no greeter")?;
    let greeting = greeter.call(|reply| Greet::Hello("near".to_owned(), reply), None);
    println!("{}", greeting.await?);
    near.stop().await;
    far.kill().await?;
    Ok(())
}

/// Where the other node says that it listens.
async fn listening(said: impl AsyncRead + Unpin) -> Result<String, Box<dyn Error>> {
    let mut lines = BufReader::new(said).lines();
    while let Some(line) = lines.next_line().await? {
        if let Some((_, address)) = line.split_once("far listens at ") {
            return Ok(address.to_owned());
        }
    }
    Err("the other node did not start".into())
}

/// Tunnels for everybody, to anywhere: a proxy that others can reach must be choosier.
async fn serve(proxy: TcpListener) {
    while let Ok((mut client, _)) = proxy.accept().await {
        tokio::spawn(async move {
            let request = head(&mut client).await?;
            let target = request.split(' ').nth(1).unwrap_or_default();
            let mut server = TcpStream::connect(target).await?;
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            copy_bidirectional(&mut client, &mut server).await
        });
    }
}

/// Runs the node at the far end, until it is killed.
pub(crate) async fn greet() -> Result<(), Box<dyn Error>> {
    let far = Node::builder("far@127.0.0.1:0")
        .cookie("a long random secret")
        .start()
        .await?;
    Actor::spawn(Some("greeter".to_owned()), Greeter, ()).await?;
    println!("far listens at {}", far.local_addr());
    std::future::pending().await
}

#[derive(RactorClusterMessage)]
enum Greet {
    #[rpc]
    Hello(String, RpcReplyPort<String>),
}

struct Greeter;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Greeter {
    type Msg = Greet;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Greet>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Greet>,
        Greet::Hello(name, reply): Greet,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        reply.send(format!("hello {name}, from far"))?;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    if env::args().nth(1).as_deref() == Some("far") {
        return greet().await;
    }
    let mut far = Command::new(env::current_exe()?);
    far.arg("far");
    run(far).await
}
