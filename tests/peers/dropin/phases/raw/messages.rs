//! Every kind of message to the actors of the listener.

use std::time::Duration;

use ractor::ActorRef;
use ractor::rpc::CallResult;
use ractor_cluster::NodeSessionMessage;
use ractor_cluster::node::NodeServerSessionInformation;

use crate::actors::{Private, Reading, TextMessage, Wire};
use crate::cluster::{ask, is_ready, member, remote_members};
use crate::report::{Checked, Report};
use crate::tls::from_hex;
use crate::values::reading;

pub async fn exchange(report: &mut Report, session: &NodeServerSessionInformation) -> Checked {
    let echo = member::<Wire>("echo").await?;
    report.holds("remote", !echo.get_id().is_local())?;
    report.holds("node id", echo.get_id().node() == session.node_id)?;
    // The session is ready, so that all there is to announce has been announced.
    report.same("private actors", remote_members("private").len(), 0)?;
    calls(report, &echo).await?;
    casts(report, &echo).await?;
    // What the session is given by hand passes the mailboxes of the remote actors by.
    let length = ask(&echo, |port| Wire::Length("all".into(), port)).await?;
    report.same("call after casts", length, 3)?;
    by_session(report, session, echo.get_id().pid()).await
}

async fn calls(report: &mut Report, echo: &ActorRef<Wire>) -> Checked {
    let length = ask(echo, |port| Wire::Length("four".into(), port)).await?;
    report.same("port last", length, 4)?;
    let text = ask(echo, |port| Wire::Repeat(port, "ab".into(), 3)).await?;
    report.same("port first", text, "ababab".into())?;
    let scaled = ask(echo, |reply| Wire::Scale {
        reading: reading(),
        reply,
        factor: -3,
    })
    .await?;
    report.same(
        "struct and protobuf",
        scaled,
        Reading {
            value: 21,
            ..reading()
        },
    )?;
    let silence = echo
        .call(Wire::Silence, Some(Duration::from_millis(50)))
        .await;
    let silence = silence.map_err(|error| error.to_string())?;
    // Whether the timer or the dropped port is noticed first is a race in the caller.
    report.holds("unanswered", !matches!(silence, CallResult::Success(())))?;
    let length = ask(echo, |port| Wire::Length("after".into(), port)).await?;
    report.same("call after that", length, 5)
}

async fn casts(report: &mut Report, echo: &ActorRef<Wire>) -> Checked {
    let sent = [
        Wire::Nothing,
        Wire::Words("a".into(), TextMessage("b".into())),
        Wire::Measured {
            reading: reading(),
            at: 258,
        },
        Wire::Load(vec![7; 512 * 1024]),
    ];
    for message in sent {
        report.holds("cast", echo.cast(message).is_ok())?;
    }
    let text = member::<TextMessage>("text").await?;
    report.holds("cast text", text.cast(TextMessage("潮目".into())).is_ok())?;
    let note = member::<Reading>("reading").await?;
    report.holds("cast protobuf", note.cast(reading()).is_ok())?;
    let private = ActorRef::<Private>::from(echo.get_cell());
    report.holds("cast private", private.cast(Private::Hello).is_err())
}

/// Messages given to the session itself. Their types have no public name, yet a user can make them.
async fn by_session(
    report: &mut Report,
    session: &NodeServerSessionInformation,
    pid: u64,
) -> Checked {
    let actor = &session.actor;
    let empty = actor.cast(NodeSessionMessage::MessageReceived(Default::default()));
    report.holds("empty message in", empty.is_ok())?;
    let empty = actor.cast(NodeSessionMessage::SendMessage(Default::default()));
    report.holds("empty message out", empty.is_ok())?;
    let cast = from_hex(&words_cast(pid))?;
    let cast = prost::Message::decode(cast.as_slice()).map_err(|error| error.to_string())?;
    report.holds(
        "message out",
        actor.cast(NodeSessionMessage::SendMessage(cast)).is_ok(),
    )?;
    report.holds("session lives", is_ready(actor).await?)
}

/// A node message with the cast `Words("by", "hand")` to a pid below 128.
fn words_cast(pid: u64) -> String {
    let what = "0000000000000002 6279 0000000000000004 68616e64";
    format!("0a21 08{pid:02x} 1216 {what} 1a05 576f726473").replace(' ', "")
}
