//! What must not be: links without TLS where there is TLS, and peers that cannot prove who they are.

use std::time::{Duration, Instant};

use super::{
    super::duo::{Lab, Verdict},
    mesh,
};
use crate::peers::{
    node::{Node, PATIENCE},
    programs::Kind,
    proxy::Proxy,
    stage::strs,
};

const LOG: [&str; 2] = ["--log", "debug"];

/// Time for a published node to notice what it was told.
const NOTICE: Duration = Duration::from_secs(1);

/// Two nodes of ours are connected to a published one, and find each other. Proxies look at how each of the three is
/// dialled.
///
/// The second one dials in any case: it is who learns of the other, and a `NodeServer` dials by itself as its program has
/// dialled.
pub(super) fn mesh(lab: &Lab<'_>) -> Verdict {
    let mut nodes = Vec::new();
    let mut proxies = Vec::new();
    for (kind, name) in [
        (Kind::Shiome, "left"),
        (lab.peer, "hub"),
        (Kind::Shiome, "right"),
    ] {
        let mut node = mesh::member(lab, kind, name)?;
        let proxy = Proxy::to(node.address())?;
        node.ask(&format!("announce {}", proxy.address().port()))?;
        nodes.push(node);
        proxies.push(proxy);
    }
    let [left, hub, right] = nodes.as_mut_slice() else {
        return Err("there are not three nodes".to_owned());
    };
    if lab.is_dialled_by_ours() {
        left.ask(&format!("connect {}", proxies[1].address()))?;
    } else {
        hub.ask(&format!("connect {}", proxies[0].address()))?;
    }
    left.ask("wait-session hub 30000")?;
    hub.ask("wait-session left 30000")?;
    right.ask(&format!("connect {}", proxies[1].address()))?;
    left.ask("wait-session right 30000")?;
    right.ask("wait-session left 30000")?;
    mesh::talk(left, right, "right")?;
    mesh::talk(right, left, "left")?;
    let tls: usize = proxies.iter().map(Proxy::tls_dials).sum();
    let plain: usize = proxies.iter().map(Proxy::plain_dials).sum();
    let told = format!("{tls} dials with TLS, {plain} without");
    if tls < nodes.len() || plain > 0 {
        return Err(told);
    }
    Ok(Some(told))
}

/// Who dials without TLS a node that wants it is refused, and the node serves others.
pub(super) fn plain_dial(lab: &Lab<'_>) -> Verdict {
    let (dials, listens) = lab.dials_and_listens();
    let mut listens = lab.node(listens, "listens", &[])?;
    let mut plain = lab.bare_node(dials, "plain", &[])?;
    let refused = refused(&mut plain, &mut listens)?;
    joins(&mut lab.node(dials, "other", &[])?, &mut listens)?;
    Ok(Some(refused.told()))
}

/// Who dials with TLS a node that has none is refused, and the node serves others.
pub(super) fn dial_at_plain(lab: &Lab<'_>) -> Verdict {
    let (dials, listens) = lab.dials_and_listens();
    let mut listens = lab.bare_node(listens, "listens", &[])?;
    let mut protected = lab.node(dials, "protected", &[])?;
    let start = Instant::now();
    let connect = format!("connect {}", listens.address());
    if protected.try_ask(&connect)?.is_ok() {
        return Err("TLS with a node that has none".to_owned());
    }
    let took = start.elapsed();
    protected.expect("sessions", "")?;
    if listens.kind == Kind::V0_15 && listens.ends(NOTICE) {
        let note = "0.15.12 takes the first bytes for a length, and aborts";
        return Ok(Some(format!("after {} ms; {note}", took.as_millis())));
    }
    joins(&mut lab.bare_node(dials, "other", &[])?, &mut listens)?;
    Ok(Some(format!("after {} ms", took.as_millis())))
}

/// A peer whose authority is another one is refused, and the node of ours tells why.
pub(super) fn unknown_authority(lab: &Lab<'_>) -> Verdict {
    let foreign = lab.foreign()?;
    let mut credentials = foreign.credentials("stranger")?;
    if lab.security.is_mutual() {
        // The stranger believes ours, so it is ours that has to refuse.
        let believed = lab.credentials("stranger")?;
        credentials.splice(..2, believed.into_iter().take(2));
    }
    let own = lab.security.options(lab.peer).iter().copied();
    let options: Vec<_> = strs(&credentials).chain(own).collect();
    let mut stranger = lab.bare_node(lab.peer, "stranger", &options)?;
    let mut ours = lab.node(Kind::Shiome, "ours", &LOG)?;
    let reasons = ["UnknownIssuer", "UnknownCA"];
    meet(lab, &mut ours, &mut stranger, &reasons)
}

/// A client that shows no certificate where it must is refused, and the node of ours, on either side, tells why.
pub(super) fn no_certificate(lab: &Lab<'_>) -> Verdict {
    let credentials = lab.credentials("nobody")?;
    let shows_none: Vec<_> = strs(&credentials).chain(LOG).collect();
    if lab.is_dialled_by_ours() {
        let mut ours = lab.bare_node(Kind::Shiome, "nobody", &shows_none)?;
        let mut peer = lab.node(lab.peer, "peer", &[])?;
        meet(lab, &mut ours, &mut peer, &["CertificateRequired"])
    } else {
        let mut ours = lab.node(Kind::Shiome, "ours", &LOG)?;
        let mut peer = lab.bare_node(lab.peer, "nobody", &shows_none)?;
        let reasons = ["sent no certificates", "shown no certificate"];
        meet(lab, &mut ours, &mut peer, &reasons)
    }
}

/// A peer that calls itself as it likes, with a certificate that is good for another name, is refused.
pub(super) fn other_name(lab: &Lab<'_>) -> Verdict {
    let credentials = lab.credentials("honest")?;
    let own = lab.security.options(lab.peer).iter().copied();
    let options: Vec<_> = strs(&credentials).chain(own).collect();
    let mut liar = lab.bare_node(lab.peer, "liar", &options)?;
    let mut ours = lab.node(Kind::Shiome, "ours", &LOG)?;
    let reasons = ["the certificate is another node's"];
    meet(lab, &mut ours, &mut liar, &reasons)
}

/// Ours and a peer that it must refuse, or that must refuse it, for one of these reasons, which ours tells. Whoever
/// listens serves others.
fn meet(lab: &Lab<'_>, ours: &mut Node, peer: &mut Node, reasons: &[&str]) -> Verdict {
    let refused = if lab.is_dialled_by_ours() {
        refused(ours, peer)?
    } else {
        refused(peer, ours)?
    };
    let reason_in = |told: &str| reasons.iter().find(|reason| told.contains(*reason));
    let by_error = refused.error.as_deref().and_then(reason_in);
    let reason = match by_error.filter(|_| lab.is_dialled_by_ours()) {
        Some(reason) => Some(reason),
        None => reason_in(&ours.logs(reasons)?),
    };
    if !lab.is_dialled_by_ours() {
        joins(&mut lab.node(lab.peer, "other", &[])?, ours)?;
    }
    let reason = reason.copied().unwrap_or_default();
    Ok(Some(format!("{}; {reason}", refused.told())))
}

/// What became of a dial that did not make a session.
struct Refused {
    /// `None` when the one who dialled does not notice.
    after: Option<Duration>,
    /// Of the dial itself.
    error: Option<String>,
    dialled_by: Kind,
}

impl Refused {
    fn told(&self) -> String {
        match self.after {
            Some(after) => format!("after {} ms", after.as_millis()),
            None => format!("{} does not notice", self.dialled_by),
        }
    }
}

/// Dials, and waits for the end of that.
fn refused(dials: &mut Node, listens: &mut Node) -> Result<Refused, String> {
    let start = Instant::now();
    let answer = dials.try_ask(&format!("connect {}", listens.address()))?;
    let mut after = Some(start.elapsed());
    if answer.is_ok() {
        // The dial was over before the listener had looked.
        let patience = if dials.kind.is_published() {
            NOTICE
        } else {
            PATIENCE
        };
        let ended = dials.sees_event(&["disconnected"], start + patience)?;
        after = ended.map(|at| at.duration_since(start));
    }
    if after.is_none() && !dials.kind.is_published() {
        return Err("ours does not notice that it was refused".to_owned());
    }
    let dialled_by = dials.kind;
    for node in [dials, listens] {
        node.expect("sessions", "")?;
        if let Some(event) = node.events().find(|e| e.starts_with("authenticated")) {
            return Err(format!("{}: event {event}", node.name));
        }
    }
    Ok(Refused {
        after,
        error: answer.err(),
        dialled_by,
    })
}

fn joins(dials: &mut Node, listens: &mut Node) -> Result<(), String> {
    dials.ask(&format!("connect {}", listens.address()))?;
    listens.ask(&format!("wait-session {} 30000", dials.name))?;
    dials.ask(&format!("wait-session {} 30000", listens.name))?;
    Ok(())
}
