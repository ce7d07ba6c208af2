//! Any stream of frames, in a session of any tier: no panic, no hold on memory, and every call ends once.
#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use shiome_session::{CallErrorCode, Config, Event, MIN_WINDOW, Session, Terms};
use shiome_wire::{Capabilities, FrameDecoder, MAX_FRAME_LEN, control::Actor, node};

fuzz_target!(|input: (u8, &[u8])| {
    let (bits, stream) = input;
    let now = Instant::now();
    let mut config = Config::default();
    config.max_message_len = 100_000;
    config.max_reassembly_len = 200_000;
    config.max_monitors = 8;
    config.max_open_calls = 8;
    config.window = MIN_WINDOW;
    let mut session = Session::new(now, config.clone(), 1);
    // The highest bit: a legacy peer.
    if bits < 128 {
        session.negotiated(Terms {
            version: 1,
            capabilities: Capabilities::from_bits(bits.into()),
            incarnation: 1,
            max_frame_len: MAX_FRAME_LEN,
            max_message_len: config.max_message_len,
            max_reassembly_len: config.max_reassembly_len,
            window: config.window,
        });
    }
    session.start(now, None);
    session.announce((0..4).map(|pid| Actor { pid, name: None }));
    session.synced();

    let mut decoder = FrameDecoder::new(MAX_FRAME_LEN);
    decoder.extend(stream);
    let (mut opened, mut ended) = (0, 0);
    let mut later = now;
    while let Ok(Some(frame)) = decoder.next_frame() {
        let Ok(message) = frame.decode() else {
            continue;
        };
        later += Duration::from_millis(100);
        let failed = session.handle_message(later, message).is_err();
        assert!(!failed || session.is_closed());
        ended += drain(&mut session, later);
        if session.poll_timeout().is_some_and(|due| due <= later) {
            session.handle_timeout(later);
        }
        let pids: Vec<_> = session.remote_pids().take(4).collect();
        for pid in pids {
            let to = pid;
            let call = node::Call {
                to,
                ..node::Call::default()
            };
            opened += usize::from(session.call(later, call, None, ()).is_ok());
            let _ = session.cast(node::Cast {
                to,
                ..node::Cast::default()
            });
            let _ = session.monitor(pid);
        }
        ended += drain(&mut session, later);
    }
    session.close();
    ended += drain(&mut session, later);
    assert_eq!(opened, ended);
    assert_eq!((session.queued_len(), session.poll_timeout()), (0, None));
});

/// Takes all there is, and answers; how many calls have ended.
fn drain(session: &mut Session<()>, now: Instant) -> usize {
    let mut ended = 0;
    loop {
        while session.poll_transmit().is_some() {}
        let Some(event) = session.poll_event() else {
            return ended;
        };
        match event {
            Event::Reply { .. } | Event::CallEnded { .. } => ended += 1,
            Event::Call(call) if call.tag % 2 == 0 => {
                let _ = session.reply(now, call.to, call.tag, call.what);
            }
            Event::Call(call) => {
                session.drop_call(now, call.to, call.tag, CallErrorCode::NoReply);
            }
            _ => {}
        }
    }
}
