//! What the README shows of nodes that are not on this machine: it compiles, and is not run.

use std::error::Error;

use shiome::Node;
#[cfg(feature = "webrtc")]
use shiome::{
    bus::Peer,
    webrtc::{RtcLinks, RtcOptions},
};

#[cfg(feature = "membership")]
async fn by_seeds() -> Result<Node, Box<dyn Error>> {
    let node = Node::builder("b@10.0.0.2:4697")
        .cookie("a long random secret")
        .seeds(["10.0.0.1:4697", "10.0.0.2:4697", "10.0.0.3:4697"])
        .start()
        .await?;
    Ok(node)
}

async fn by_peers() -> Result<Node, Box<dyn Error>> {
    let node = Node::builder("b@10.0.0.2:4697")
        .cookie("a long random secret")
        .peers(["10.0.0.1:4697", "10.0.0.3:4697"])
        .start()
        .await?;
    let kept = node.keep_connected("10.0.0.4:4697")?;
    let session = kept.connected().await?;
    drop(session);
    Ok(node)
}

#[cfg(feature = "webrtc")]
async fn behind_nat(alice: Peer) -> Result<Node, Box<dyn Error>> {
    let options = RtcOptions::default().admit(|peer| peer.as_str() == "bob");
    let rtc = RtcLinks::start(&alice, options)?;
    let node = Node::builder("alice@alice:0")
        .cookie("a long random secret")
        .links(rtc.links())
        .no_own_port()
        .listen_at("rtc:alice")
        .advertise("rtc:alice")
        .peers(["rtc:bob"])
        .start()
        .await?;
    Ok(node)
}
