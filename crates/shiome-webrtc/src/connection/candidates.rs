//! Addresses of both ends.

use std::net::SocketAddr;

use str0m::{Candidate, Rtc, net::Protocol};
use thiserror::Error;

use crate::Failure;

/// Candidates of each end, at most: of the other, of one look for a way. An end has one for each of its addresses, and two for each
/// server.
pub(crate) const MAX_CANDIDATES: usize = 64;

/// What came is no candidate.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum CandidateFault {
    #[error("candidate: {0}")]
    Malformed(String),
    #[error("more than {MAX_CANDIDATES} candidates")]
    TooMany,
}

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    local: usize,
    remote: usize,
    local_ended: bool,
    remote_ended: bool,
    /// Name of the other end in ICE: another begins to look for a way anew (RFC 8839 §4.4.1.1.1).
    ufrag: Option<String>,
}

impl Candidates {
    /// Adds one of this end. How it is said to the other, if it is new.
    pub(super) fn add_local(&mut self, rtc: &mut Rtc, candidate: Candidate) -> Option<String> {
        if self.local >= MAX_CANDIDATES {
            return None;
        }
        let said = rtc.add_local_candidate(candidate)?.to_sdp_string();
        self.local += 1;
        Some(said)
    }

    /// Adds one of the other end. Those of names that only their own network knows (mDNS), and of TCP, are not tried.
    pub(super) fn add_remote(
        &mut self,
        rtc: &mut Rtc,
        text: &str,
    ) -> Result<Option<SocketAddr>, CandidateFault> {
        if self.remote >= MAX_CANDIDATES {
            return Err(CandidateFault::TooMany);
        }
        self.remote += 1;
        if is_named(text) {
            return Ok(None);
        }
        let candidate = Candidate::from_sdp_string(text)
            .map_err(|error| CandidateFault::Malformed(error.to_string()))?;
        if candidate.proto() != Protocol::Udp {
            return Ok(None);
        }
        let addr = candidate.addr();
        rtc.add_remote_candidate(candidate);
        Ok(Some(addr))
    }

    /// An SDP came, maybe with candidates in it: without those that are too many.
    pub(super) fn described(&mut self, sdp: &str) -> String {
        let ufrag = sdp
            .lines()
            .find_map(|line| line.strip_prefix("a=ice-ufrag:"));
        if ufrag != self.ufrag.as_deref() {
            self.ufrag = ufrag.map(str::to_owned);
            self.remote = 0;
        }
        let mut taken = String::with_capacity(sdp.len());
        for line in sdp.split_inclusive('\n') {
            if line.starts_with("a=candidate:") {
                self.remote += 1;
                if self.remote > MAX_CANDIDATES {
                    continue;
                }
            }
            taken.push_str(line);
        }
        self.remote = self.remote.min(MAX_CANDIDATES);
        taken
    }

    pub(super) fn end_local(&mut self) {
        self.local_ended = true;
    }

    pub(super) fn end_remote(&mut self) {
        self.remote_ended = true;
    }

    /// Whether no more will come.
    pub(super) fn are_all_told(&self) -> bool {
        self.local_ended && self.remote_ended
    }

    /// Why nothing got through.
    pub(super) fn diagnosis(&self) -> Failure {
        if self.local == 0 || self.remote == 0 {
            Failure::NoCandidates
        } else {
            Failure::ChecksFailed
        }
    }
}

/// Whether its address is a name.
fn is_named(text: &str) -> bool {
    let address = text.split_ascii_whitespace().nth(4);
    address.is_some_and(|address| address.ends_with(".local"))
}
