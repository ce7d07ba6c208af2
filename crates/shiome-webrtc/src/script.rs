//! What a peer may say, for the fuzz targets of this workspace. Not part of the interface.

use shiome_bus::{Intent, Name, Payload};
use str0m::{
    Candidate,
    change::{SdpAnswer, SdpOffer},
};

use crate::{
    chunk::{Joiner, split, stream_bytes},
    signal::{Body, Purpose, Signal},
};

/// Bytes of a message that are taken.
const MAX_MESSAGE: usize = 100_000;

/// Names of signals, and one that is none.
const NAMES: [&str; 6] = ["offer", "answer", "candidate", "close", "switch", "dance"];

/// Pieces that come over a channel, each after its length as u16 big-endian; the last is what is left. What they are put together
/// to is no longer than agreed, and survives being cut again.
///
/// # Panics
///
/// When that does not hold.
pub fn chunks(mut input: &[u8]) {
    let mut joiner = Joiner::new(MAX_MESSAGE);
    while let Some((len, rest)) = input.split_first_chunk() {
        let len = usize::from(u16::from_be_bytes(*len)).min(rest.len());
        let (piece, rest) = rest.split_at(len);
        input = rest;
        let pushed = joiner.push(piece);
        // What is of a stream is of no message.
        assert!(stream_bytes(piece).is_none() || pushed.is_err());
        match pushed {
            Ok(None) => {}
            Ok(Some(message)) => {
                assert!(message.as_bytes().len() <= MAX_MESSAGE);
                let mut again = Joiner::new(MAX_MESSAGE);
                let mut joined = split(&message).map(|piece| again.push(&piece));
                let last = joined.find(|joined| *joined != Ok(None));
                assert_eq!(last.as_ref(), Some(&Ok(Some(message.clone()))));
                assert_eq!(joined.next(), None);
            }
            // It ends the connection.
            Err(_) => return,
        }
    }
}

/// A signal: which one is the first byte, and what it holds the JSON text after it. It is refused, or survives being said again; what
/// it says of addresses is refused or understood.
///
/// # Panics
///
/// When that does not hold.
pub fn signal(input: &[u8]) {
    let Some((&which, text)) = input.split_first() else {
        return;
    };
    let Ok(json) = serde_json::from_slice::<serde_json::Value>(text) else {
        return;
    };
    let payload = Payload::from(json);
    for purpose in [Purpose::Envelopes, Purpose::Bytes] {
        let name = NAMES[usize::from(which) % NAMES.len()];
        let name = format!("{}{name}", purpose.prefix());
        let name = Name::any(&name).expect("it is one of the names above");
        let Ok(signal) = Signal::read(purpose, &Intent::of(name, payload.clone())) else {
            continue;
        };
        let said = signal.intent(purpose);
        let said = said.expect("what was short enough to be read can be said");
        assert_eq!(Signal::read(purpose, &said).as_ref(), Ok(&signal));
        understand(&signal.body);
    }
}

fn understand(body: &Body) {
    match body {
        Body::Offer(offer) => drop(SdpOffer::from_sdp_string(&offer.sdp)),
        Body::Answer(answer) => drop(SdpAnswer::from_sdp_string(&answer.sdp)),
        Body::Candidate(Some(candidate)) => drop(Candidate::from_sdp_string(candidate)),
        _ => {}
    }
}
