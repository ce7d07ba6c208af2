//! What may be said, and what not.

use serde_json::{Value, json};

use super::*;

fn read(name: &str, payload: Value) -> Result<Signal, SignalError> {
    Signal::read(
        Purpose::Envelopes,
        &Intent::of(Name::any(name).unwrap(), payload.into()),
    )
}

fn offer(changed: impl FnOnce(&mut Value)) -> Result<Signal, SignalError> {
    let mut payload = json!({
        "version": 1, "session": "5e551011", "sdp": "v=0\r\n", "incarnation": 17,
        "encodings": ["binary", "json", "later"], "max_message": 65536, "heartbeat_ms": 5000,
    });
    changed(&mut payload);
    read("sys.rtc.offer", payload)
}

#[test]
fn signals_are_read_as_they_were_said() {
    let session = SessionId::random();
    let description = Description {
        sdp: "v=0\r\n".to_owned(),
        incarnation: Incarnation::new(17).unwrap(),
        encoding: Encoding::Binary,
        max_message: 65536,
        heartbeat_ms: 5000,
    };
    for body in [
        Body::Offer(description.clone()),
        Body::Answer(description),
        Body::Candidate(Some("candidate:1".to_owned())),
        Body::Candidate(None),
        Body::Close("closed".to_owned()),
        Body::Switch,
    ] {
        let signal = Signal::new(&session, body);
        let (own, other) = (Purpose::Envelopes, Purpose::Bytes);
        let intent = signal.intent(own).unwrap();
        assert_eq!(Signal::read(other, &intent), Err(SignalError::Unknown));
        assert_eq!(Signal::read(own, &intent), Ok(signal));
    }
}

#[test]
fn what_is_left_out_is_at_its_default() {
    let payload = json!({ "version": 1, "session": "a", "sdp": "", "incarnation": 1 });
    let Body::Offer(description) = read("sys.rtc.offer", payload).unwrap().body else {
        panic!("it is an offer");
    };
    assert_eq!(description.encoding, Encoding::Json);
    assert_eq!(description.max_message as u64, DEFAULT_MAX_MESSAGE_LEN);
    assert_eq!(description.heartbeat_ms, 5000);
}

#[test]
fn what_is_no_signal_is_refused() {
    assert!(offer(|_| {}).is_ok());
    for (changed, error) in [
        (json!({ "version": 2 }), SignalError::Version(2)),
        (json!({ "version": 0 }), SignalError::Version(0)),
        (json!({ "session": "" }), SignalError::Session),
        (json!({ "session": "a b" }), SignalError::Session),
        (json!({ "session": "a".repeat(65) }), SignalError::Session),
        (
            json!({ "sdp": "x".repeat(MAX_SDP_LEN + 1) }),
            SignalError::SdpTooLong,
        ),
        (
            json!({ "sdp": "x".repeat(10 * MAX_SDP_LEN) }),
            SignalError::SdpTooLong,
        ),
        (json!({ "incarnation": u64::MAX }), SignalError::Incarnation),
        (json!({ "max_message": 17 }), SignalError::MaxMessage),
    ] {
        let got = offer(|payload| {
            for (key, value) in changed.as_object().unwrap() {
                payload[key] = value.clone();
            }
        });
        assert_eq!(got, Err(error));
    }
    for payload in [json!(null), json!({}), json!([1]), json!({ "version": -1 })] {
        assert!(matches!(
            read("sys.rtc.offer", payload),
            Err(SignalError::Json(_))
        ));
    }
    let long = json!({ "session": "a", "candidate": "x".repeat(MAX_CANDIDATE_LEN + 1) });
    assert_eq!(
        read("sys.rtc.candidate", long),
        Err(SignalError::CandidateTooLong)
    );
    assert_eq!(read("sys.rtc.dance", json!({})), Err(SignalError::Unknown));
}
