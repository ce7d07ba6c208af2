use std::net::SocketAddr;

use shiome_gossip::NodeId;
use tokio::net::TcpStream;

use super::{Context, Kind, Message, PingError};

/// Asks the node `member`, which listens at `addr`, whether it is there. The caller sets the deadline. Cancel-safe.
pub(crate) async fn ask(
    context: &Context,
    addr: SocketAddr,
    member: NodeId,
) -> Result<(), PingError> {
    let question = Message {
        kind: Kind::Question,
        node: member,
        token: rand::random(),
    };
    let mut stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    context.write(&mut stream, &question).await?;
    let answer = context.read(&mut stream, Kind::Answer).await?;
    // Another node may have taken the address, and an answer may be a recording.
    if (answer.node, answer.token) == (question.node, question.token) {
        Ok(())
    } else {
        Err(PingError::Unexpected)
    }
}
