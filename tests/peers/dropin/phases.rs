//! The meetings of two or three processes, one phase after the other.

mod by_hand;
mod external;
mod raw;
mod round;
mod tls;
mod transitive;

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::Path;

use crate::dialer::Cue;
use crate::report::{Checked, Report};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub async fn listen(report: &mut Report, peer: &Path) -> Checked {
    raw::listen(report, peer).await?;
    tls::listen(report, peer).await?;
    external::listen(report, peer).await?;
    by_hand::listen(report, peer).await?;
    transitive::listen(report, peer).await
}

pub async fn dial(report: &mut Report, cue: &mut Cue) -> Checked {
    match cue.phase.as_str() {
        "raw" => raw::dial(report, cue).await,
        "tls" => tls::dial(report, cue).await,
        "external" => external::dial(report, cue).await,
        "by-hand" => by_hand::dial(report, cue).await,
        "transitive" => transitive::dial(report, cue).await,
        phase => Err(format!("unknown phase {phase}")),
    }
}

/// A port that is free now: the node server does not tell which one it got for port 0.
fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind((LOOPBACK, 0)).map_err(|error| error.to_string())?;
    listener
        .local_addr()
        .map(|address| address.port())
        .map_err(|error| error.to_string())
}
