//! Commands about references that outlive their group.

use crate::calls::{self, Kind};
use crate::casts;
use crate::groups::{Group, held};
use crate::node::Node;
use crate::sessions::poll;
use crate::words::Words;

use super::Answer;

pub async fn run(node: &mut Node, command: &str, mut words: Words<'_>) -> Answer {
    if command == "hold-ref" {
        let group = Group::parse(&mut words)?;
        let name = words.text("name of the reference")?;
        let mut members = group.remote();
        if let Ok(pid) = words.number::<u64>("pid") {
            members.retain(|member| member.get_id().pid() == pid);
        }
        let member = members.into_iter().next().ok_or("no remote member")?;
        let id = member.get_id();
        node.refs.insert(name.into(), member);
        return Ok(format!("remote:{}.{}", id.node(), id.pid()));
    }
    let name = words.text("name of the reference")?;
    let to = held(node, name)?;
    match command {
        "cast-ref" => casts::text(to, words.text("text")?),
        "call-ref" => {
            let (text, timeout) = (words.text("text")?, words.timeout()?);
            calls::call(to, Kind::Echo, text.into(), timeout).await
        }
        "stop-ref" => {
            to.stop(None);
            Ok(String::new())
        }
        "ref-status" => Ok(format!("{:?}", to.get_status())),
        "wait-ref-status" => {
            let (status, patience) = (words.text("status")?, words.millis()?);
            poll(patience, async || {
                Ok((format!("{:?}", to.get_status()) == status).then_some(()))
            })
            .await
            .map_err(|error| format!("{error}, status: {:?}", to.get_status()))?;
            Ok(status.into())
        }
        _ => {
            node.refs.remove(name);
            Ok(String::new())
        }
    }
}
