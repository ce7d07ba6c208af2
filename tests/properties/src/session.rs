use std::time::{Duration, Instant};

use shiome_session::{CallErrorCode, Config, Event, MIN_WINDOW, Session, Terms};
use shiome_wire::{
    Capabilities, Frame, FrameDecoder, MAX_FRAME_LEN,
    control::Actor,
    meta::NetworkMessage,
    node::{Call, Cast},
};

use crate::memory::{PER_BYTE_OF_MESSAGE, within};

/// Memory that a session of [`tight`] limits may take, in bytes.
const MEMORY: usize = 4 * 1024 * 1024;

/// What the peer of a session can take, in the first byte, and any stream of frames after it: memory within the limits,
/// and every call ends once.
pub fn session(input: &[u8]) {
    let Some((bits, stream)) = input.split_first() else {
        return;
    };
    within(MEMORY + PER_BYTE_OF_MESSAGE * stream.len(), || {
        let mut owner = Owner::new(*bits);
        let mut decoder = FrameDecoder::new(MAX_FRAME_LEN);
        decoder.extend(stream);
        while let Ok(Some(frame)) = decoder.next_frame() {
            if let Ok(message) = Frame::decode(frame) {
                owner.hear(message);
                owner.speak();
            }
        }
        owner.end();
    });
}

/// Limits that are met soon.
pub(crate) fn tight() -> Config {
    let mut config = Config::default();
    config.max_announced_actors = 64;
    config.max_grouped_actors = 32;
    config.max_memberships = 64;
    config.max_directory_bytes = 4 * 1024;
    config.max_open_calls = 8;
    config.max_outbox = 300_000;
    config.max_message_len = 100_000;
    config.max_reassembly_len = 200_000;
    config.max_monitors = 8;
    config.window = MIN_WINDOW;
    config
}

/// What both ends of a session with these limits can take.
pub(crate) fn terms(capabilities: Capabilities, config: &Config) -> Terms {
    Terms {
        version: 1,
        capabilities,
        incarnation: 1,
        max_frame_len: MAX_FRAME_LEN,
        max_message_len: config.max_message_len,
        max_reassembly_len: config.max_reassembly_len,
        window: config.window,
    }
}

struct Owner {
    session: Session<()>,
    now: Instant,
    opened: usize,
    ended: usize,
}

impl Owner {
    /// The highest bit: the peer is a legacy one.
    fn new(bits: u8) -> Self {
        let now = Instant::now();
        let config = tight();
        let mut session = Session::new(now, config.clone(), 1);
        if bits < 128 {
            session.negotiated(terms(Capabilities::from_bits(bits.into()), &config));
        }
        session.start(now, None);
        session.announce((0..4).map(|pid| Actor { pid, name: None }));
        session.synced();
        Self {
            session,
            now,
            opened: 0,
            ended: 0,
        }
    }

    fn hear(&mut self, message: NetworkMessage) {
        self.now += Duration::from_millis(100);
        let failed = self.session.handle_message(self.now, message).is_err();
        assert!(!failed || self.session.is_closed());
        self.drain();
        if self
            .session
            .poll_timeout()
            .is_some_and(|due| due <= self.now)
        {
            self.session.handle_timeout(self.now);
        }
    }

    /// To all whom the peer has announced.
    fn speak(&mut self) {
        let pids: Vec<_> = self.session.remote_pids().take(4).collect();
        for to in pids {
            let call = Call {
                to,
                ..Call::default()
            };
            self.opened += usize::from(self.session.call(self.now, call, None, ()).is_ok());
            let _ = self.session.cast(Cast {
                to,
                ..Cast::default()
            });
            let _ = self.session.monitor(to);
        }
        self.drain();
    }

    /// Takes all there is, and answers.
    fn drain(&mut self) {
        loop {
            while self.session.poll_transmit().is_some() {}
            let Some(event) = self.session.poll_event() else {
                return;
            };
            match event {
                Event::Reply { .. } | Event::CallEnded { .. } => self.ended += 1,
                Event::Call(call) if call.tag & 1 == 0 => {
                    let _ = self.session.reply(self.now, call.to, call.tag, call.what);
                }
                Event::Call(call) => {
                    let code = CallErrorCode::NoReply;
                    self.session.drop_call(self.now, call.to, call.tag, code);
                }
                _ => {}
            }
        }
    }

    fn end(&mut self) {
        self.session.close();
        self.drain();
        assert_eq!(self.opened, self.ended);
        let left = (self.session.queued_len(), self.session.poll_timeout());
        assert_eq!(left, (0, None));
    }
}

#[cfg(test)]
mod tests {
    use shiome_session::MESSAGE_OVERHEAD;
    use shiome_wire::{Encode, control::Spawn};

    use super::*;

    /// A short message to each of many actors is what takes most beside its content.
    #[test]
    fn what_waits_takes_no_more_memory_than_is_counted() {
        const ACTORS: u64 = 10_000;
        let now = Instant::now();
        let mut session = Session::<()>::new(now, Config::default(), 1);
        let actors = (1..=ACTORS).map(|pid| Actor { pid, name: None });
        let actors = actors.collect();
        let told = session.handle_message(now, Spawn { actors }.into());
        assert_eq!(told, Ok(()));
        while session.poll_event().is_some() {}
        let cast = |to| Cast {
            to,
            what: vec![7; 16].into(),
            variant: "Put".to_owned(),
            metadata: None,
        };
        let len = cast(ACTORS).body_len();
        let limit = ACTORS as usize * (len + MESSAGE_OVERHEAD);
        let before = session.queued_len();
        within(limit, || {
            for pid in 1..=ACTORS {
                assert_eq!(session.cast(cast(pid)), Ok(()));
            }
        });
        assert!(session.queued_len() - before <= limit);
    }
}
