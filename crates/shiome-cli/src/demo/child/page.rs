use std::{future::pending, net::SocketAddr};

use shiome::{
    Node,
    transport::{Address, Links, Policy},
};
use shiome_inspect::{Guard, Inspect, serve};

use crate::error::chain;

/// Serves the dashboard of the node there until the process ends; where browsers find it.
pub(super) async fn show(node: &Node, addr: SocketAddr) -> Result<String, String> {
    let address = format!("tcp://{addr}").parse::<Address>();
    let address = address.map_err(|error| chain(&error))?;
    let listener = Links::new(Policy::Any).listen(&address).await;
    let listener = listener.map_err(|error| chain(&error))?;
    let local = listener.local().to_string();
    let inspect = Inspect::new(node.inspect());
    let refusals = inspect.refusals().clone();
    let router = inspect.dashboard(Guard::new(refusals.clone()));
    tokio::spawn(serve(listener, router, refusals, pending()));
    Ok(format!("http://{}/", local.trim_start_matches("tcp://")))
}
