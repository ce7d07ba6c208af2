//! What is said about a connection, and what is heard.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use shiome_bus::wire::Encoding;
use str0m::{
    Candidate,
    change::{SdpAnswer, SdpOffer},
};

use super::{CandidateFault, Connection, Event, Phase, Terms};
use crate::{
    Failure,
    heartbeat::Heartbeat,
    signal::{Body, Description},
};

impl Connection {
    pub(super) fn describe(&mut self, sdp: String, body: impl Fn(Description) -> Body) {
        let description = Description {
            sdp,
            incarnation: self.config.incarnation,
            encoding: Encoding::Binary,
            max_message: self.config.max_message,
            heartbeat_ms: self.config.heartbeat.as_millis() as u64,
        };
        self.events.push_back(Event::Signal(body(description)));
    }

    pub(super) fn terms(&mut self, now: Instant, said: &Description) {
        self.terms = Some(Terms {
            incarnation: said.incarnation,
            encoding: said.encoding,
            max_message: said.max_message,
        });
        // The shorter of both, so that each end hears enough.
        let theirs = Duration::from_millis(said.heartbeat_ms);
        self.config.heartbeat = self.config.heartbeat.min(theirs);
        self.heartbeat = Heartbeat::new(now, self.config.heartbeat);
    }

    pub(super) fn accept_offer(&mut self, offer: &Description) -> Result<(), Failure> {
        let sdp = self.candidates.described(&offer.sdp);
        let sdp = SdpOffer::from_sdp_string(&sdp).map_err(Failure::malformed)?;
        let answer = self.rtc.sdp_api().accept_offer(sdp);
        let answer = answer.map_err(Failure::malformed)?;
        self.describe(answer.to_sdp_string(), Body::Answer);
        Ok(())
    }

    /// An answer came. One that nobody waits for is skipped.
    pub(crate) fn handle_answer(&mut self, now: Instant, answer: &Description) {
        let Some(pending) = self.pending.take() else {
            return;
        };
        if self.terms.is_none() {
            self.terms(now, answer);
        }
        let sdp = self.candidates.described(&answer.sdp);
        let accepted = SdpAnswer::from_sdp_string(&sdp)
            .map_err(Failure::malformed)
            .and_then(|sdp| {
                let accepted = self.rtc.sdp_api().accept_answer(pending, sdp);
                accepted.map_err(Failure::malformed)
            });
        if let Err(failure) = accepted {
            self.end(failure);
        }
        self.tick(now);
    }

    /// The other end offers to look for a way anew.
    pub(crate) fn handle_offer(&mut self, now: Instant, offer: &Description) {
        // Only who offered first does so: two at a time cannot happen.
        let accepted = match self.offered {
            true => Err(Failure::malformed("an offer of who answered")),
            false => self.accept_offer(offer),
        };
        if let Err(failure) = accepted {
            self.end(failure);
        }
        self.tick(now);
    }

    /// Looks for a way anew, if that is for this end to do.
    pub(crate) fn restart(&mut self, now: Instant) {
        if !self.offered || matches!(self.phase, Phase::Connecting { .. } | Phase::Ended) {
            return;
        }
        let mut change = self.rtc.sdp_api();
        change.ice_restart(true);
        if let Some((offer, pending)) = change.apply() {
            self.pending = Some(pending);
            self.describe(offer.to_sdp_string(), Body::Offer);
        }
        self.drain(now);
    }

    /// An address of this end was found.
    pub(crate) fn add_local_candidate(&mut self, now: Instant, candidate: Candidate) {
        if let Some(said) = self.candidates.add_local(&mut self.rtc, candidate) {
            let body = Body::Candidate(Some(said));
            self.events.push_back(Event::Signal(body));
        }
        self.drain(now);
    }

    /// No more addresses of this end will be found.
    pub(crate) fn end_local_candidates(&mut self, now: Instant) {
        self.candidates.end_local();
        self.events.push_back(Event::Signal(Body::Candidate(None)));
        self.tick(now);
    }

    /// The other end told an address, or that those were all. The address, if it is one that can be tried.
    pub(crate) fn add_remote_candidate(
        &mut self,
        now: Instant,
        candidate: Option<&str>,
    ) -> Result<Option<SocketAddr>, CandidateFault> {
        let added = match candidate {
            Some(text) => self.candidates.add_remote(&mut self.rtc, text),
            None => {
                self.candidates.end_remote();
                Ok(None)
            }
        };
        self.tick(now);
        added
    }
}
