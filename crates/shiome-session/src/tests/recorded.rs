//! A session of version 1, as `native-session-1.txt` keeps it: each frame that was sent, with who sent it.
//!
//! Later releases have to get along with these bytes for as long as they speak version 1, so the file is never written
//! anew: a change in it is a change of the protocol.

use super::*;

const RECORDED: &str = include_str!("native-session-1.txt");

/// What both ends of the recording announced.
fn terms() -> Terms {
    Terms {
        version: 1,
        capabilities: Capabilities::from_bits(63),
        incarnation: 7,
        max_frame_len: MAX_FRAME_LEN,
        max_message_len: 1 << 20,
        max_reassembly_len: 1 << 21,
        window: MIN_WINDOW,
    }
}

/// Two sessions of today that do what those of the recording did, and all that they say.
struct Replay {
    now: Instant,
    a: Session<Handle>,
    b: Session<Handle>,
    said: Vec<(char, Vec<u8>)>,
    heard: Vec<(char, &'static str)>,
}

impl Replay {
    fn new() -> Self {
        let now = Instant::now();
        let session = || {
            let config = Config {
                window: MIN_WINDOW,
                max_message_len: 1 << 20,
                max_reassembly_len: 1 << 21,
                ..Config::default()
            };
            let mut session = Session::new(now, config, 1);
            session.negotiated(terms());
            session.start(now, None);
            session
        };
        Self {
            now,
            a: session(),
            b: session(),
            said: Vec::new(),
            heard: Vec::new(),
        }
    }

    /// Carries everything over, until nobody has anything to say.
    fn settle(&mut self) {
        loop {
            let before = self.said.len();
            carry('a', &mut self.a, &mut self.b, self.now, &mut self.said);
            self.heard.extend(hear('b', &mut self.b));
            carry('b', &mut self.b, &mut self.a, self.now, &mut self.said);
            self.heard.extend(hear('a', &mut self.a));
            if self.said.len() == before {
                return;
            }
        }
    }

    fn run(mut self) -> Self {
        let now = self.now;
        self.b.announce([named(3, "adder"), actor(4), actor(5)]);
        self.b.join("s", "g", vec![actor(4)]);
        self.a.synced();
        self.b.synced();
        self.settle();

        self.a.cast(numbered(3, 1, 10)).unwrap();
        self.a.call(now, call(3), None, 1).unwrap();
        self.a.call(now, call(4), None, 2).unwrap();
        self.settle();
        self.b.reply(now, 3, 1, "sum".into()).unwrap();
        self.b.drop_call(now, 4, 1, CallErrorCode::Undecodable);
        self.settle();

        self.a.cast(numbered(4, 2, 3 * FRAGMENT_THRESHOLD)).unwrap();
        self.settle();

        self.a.monitor(3).unwrap();
        self.a.monitor(4).unwrap();
        self.a.monitor(5).unwrap();
        self.a.demonitor(5).unwrap();
        self.a.stop(3, Some("enough".to_owned()), false).unwrap();
        self.a.stop(5, None, true).unwrap();
        self.settle();
        self.b.refuse(5, Verb::Stop);
        self.b.refuse(4, Verb::Monitor);
        let reason = Some("enough".to_owned());
        self.b.exited(3, ExitKind::Stopped, reason);
        self.b.terminate(now, 3);
        self.b.leave("s", "g", vec![actor(4)]);
        self.settle();

        self.a.goodbye(GoodbyeReason::Shutdown, "the end");
        self.settle();
        self
    }
}

fn carry(
    name: char,
    from: &mut Session<Handle>,
    to: &mut Session<Handle>,
    now: Instant,
    said: &mut Vec<(char, Vec<u8>)>,
) {
    while let Some(message) = from.poll_transmit() {
        let mut frame = BytesMut::new();
        encode(&message, MAX_FRAME_LEN, &mut frame).unwrap();
        said.push((name, frame.to_vec()));
        let mut decoder = FrameDecoder::new(MAX_FRAME_LEN);
        decoder.extend(&frame);
        let frame = decoder.next_frame().unwrap().unwrap();
        to.handle_message(now, frame.decode().unwrap()).unwrap();
    }
}

fn hear(name: char, session: &mut Session<Handle>) -> Vec<(char, &'static str)> {
    let events = std::iter::from_fn(|| session.poll_event());
    events.map(|event| (name, kind_of(&event))).collect()
}

fn kind_of(event: &Event<Handle>) -> &'static str {
    match event {
        Event::Cast(_) => "cast",
        Event::Call(_) => "call",
        Event::Reply { .. } => "reply",
        Event::CallEnded { .. } => "call ended",
        Event::Spawned(_) => "spawned",
        Event::Joined { .. } => "joined",
        Event::Left { .. } => "left",
        Event::Terminated(_) => "terminated",
        Event::Ready => "ready",
        Event::Pong { .. } => "pong",
        Event::StopRequested { .. } => "stop requested",
        Event::MonitorRequested { .. } => "monitor requested",
        Event::DemonitorRequested { .. } => "demonitor requested",
        Event::Exited { .. } => "exited",
        Event::Refused { .. } => "refused",
        Event::Goodbye { .. } => "goodbye",
        other => panic!("{other:?}"),
    }
}

/// The sizes of fragments stay, their contents are told by a checksum: they are long.
fn line((name, frame): &(char, Vec<u8>)) -> String {
    if frame.len() <= 1024 {
        return format!("{name} {}", hex::encode(frame));
    }
    let sum = frame.iter().fold(0u64, |sum, byte| {
        sum.wrapping_mul(1_099_511_628_211) ^ u64::from(*byte)
    });
    let (head, len) = (hex::encode(&frame[..32]), frame.len());
    format!("{name} {head}.. {len} bytes, {sum:016x}")
}

#[test]
fn the_bytes_of_version_1_are_what_they_were() {
    let replay = Replay::new().run();
    let said: Vec<_> = replay.said.iter().map(line).collect();
    let recorded: Vec<_> = RECORDED.lines().collect();
    assert_eq!(said, recorded, "{}", said.join("\n"));
}

#[test]
fn what_version_1_says_is_understood() {
    let heard = Replay::new().run().heard;
    let of = |name| {
        let heard = heard.iter().filter(move |(end, _)| *end == name);
        heard.map(|(_, kind)| *kind).collect::<Vec<_>>()
    };
    assert_eq!(
        of('a'),
        [
            "spawned",
            "joined",
            "ready",
            "pong",
            "reply",
            "call ended",
            "exited",
            "terminated",
            "left",
            "refused",
            "refused"
        ]
    );
    assert_eq!(
        of('b'),
        [
            "ready",
            "pong",
            "call",
            "cast",
            "call",
            "cast",
            "monitor requested",
            "monitor requested",
            "monitor requested",
            "demonitor requested",
            "stop requested",
            "stop requested",
            "goodbye"
        ]
    );
}
