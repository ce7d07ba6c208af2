//! A node made by shiome's own builder, with shiome's own TLS.

use ractor_cluster::Node;
use ractor_cluster::node::NodeConnectionMode;
use ractor_cluster::transport::tls::{ClientConfig, Credentials, Identity, ServerConfig, Trust};

use crate::args::{Args, TlsFiles};
use crate::tls::provider;

/// Nodes show a certificate on both sides, which is for the name that they go by.
pub async fn start(args: &Args, files: &TlsFiles) -> Result<Node, String> {
    let (server, client) = configs(files).map_err(chain)?;
    let mode = if args.transitive {
        NodeConnectionMode::Transitive
    } else {
        NodeConnectionMode::Isolated
    };
    let mut builder = Node::builder(format!("{}@{}:{}", args.name, args.host, args.port))
        .cookie(args.cookie.as_str())
        .connection_mode(mode)
        .tls_with(server, client);
    if let Some(address) = args.listen_addr {
        builder = builder.listen(address);
    }
    builder.start().await.map_err(|error| chain(error.into()))
}

type Error = Box<dyn std::error::Error>;

fn configs(files: &TlsFiles) -> Result<(ServerConfig, ClientConfig), Error> {
    let identity = Identity::from_pem_files(&files.certificate, &files.key)?;
    let trust = Trust::authorities_pem_file(&files.authority)?;
    let credentials = Credentials::new(Some(identity), trust, provider())?;
    let server = ServerConfig::builder(&credentials).build()?;
    Ok((server, ClientConfig::new(&credentials)?))
}

/// An error and what is behind it.
fn chain(error: Error) -> String {
    let mut told = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        told.push_str(&format!(": {error}"));
        source = error.source();
    }
    told
}

/// Returns when the session is ready.
pub async fn connect(node: &Node, address: &str) -> Result<(), String> {
    let connected = node.connect(address).await;
    connected
        .map(drop)
        .map_err(|error| format!("connect {}", chain(error.into())))
}
