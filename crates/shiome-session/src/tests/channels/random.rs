//! Whatever both sides do, in whatever order.

use super::*;

use proptest::{collection::vec, prelude::*};

#[derive(Debug, Clone)]
enum Step {
    Open(bool, u8),
    Close(bool, u8),
    Send(bool, u8, usize),
    Cast(usize),
    /// An owner takes what has come.
    Take(bool),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let (side, name) = (any::<bool>, || 0..3u8);
    prop_oneof![
        3 => (side(), name()).prop_map(|(side, name)| Step::Open(side, name)),
        1 => (side(), name()).prop_map(|(side, name)| Step::Close(side, name)),
        12 => (side(), name(), 4..200_000usize).prop_map(|(side, name, len)| Step::Send(side, name, len)),
        2 => (0..200_000usize).prop_map(Step::Cast),
        4 => side().prop_map(Step::Take),
        6 => (0..40u64).prop_map(Step::Pass),
    ]
}

fn config() -> ChannelConfig {
    ChannelConfig {
        max_message_len: 150_000,
        window: 0,
        max_queued: 300_000,
    }
}

/// One side's program.
#[derive(Debug, Default)]
struct Program {
    open: [Option<ChannelId>; 3],
    sent: [u32; 3],
    /// The last that came of each name.
    heard: [Option<u32>; 3],
    count: [usize; 3],
}

impl Program {
    fn take(&mut self, end: &mut End) {
        for event in end.events() {
            if let Event::ChannelMessage {
                channel,
                data,
                cost,
            } = event
            {
                end.session.taken_from_channel(channel, cost);
                let name = self.open.iter().position(|open| *open == Some(channel));
                // What came before it was closed.
                let Some(name) = name else { continue };
                let number = number(&data);
                assert_eq!(data, message(number, data.len()));
                assert!(self.heard[name].is_none_or(|last| last < number));
                self.heard[name] = Some(number);
                self.count[name] += 1;
            }
        }
    }
}

fn of(side: bool) -> Side {
    if side { Side::A } else { Side::B }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn messages_keep_their_order_and_nobody_waits_for_ever(
        steps in vec(step(), 0..80),
        capacity in prop_oneof![1..400_000usize, Just(usize::MAX)],
    ) {
        let mut pair = Pair::native().served(&[7]);
        pair.capacity = capacity;
        let mut programs = [Program::default(), Program::default()];
        for step in steps {
            match step {
                Step::Open(side, name) => {
                    let program = &mut programs[usize::from(side)];
                    let opened = pair.end(of(side)).session.open_channel(&name.to_string(), config());
                    let slot = &mut program.open[usize::from(name)];
                    prop_assert_eq!(opened.is_err(), slot.is_some());
                    *slot = slot.or(opened.ok());
                }
                Step::Close(side, name) => {
                    if let Some(channel) = programs[usize::from(side)].open[usize::from(name)].take() {
                        pair.end(of(side)).session.close_channel(channel);
                    }
                }
                Step::Send(side, name, len) => {
                    let program = &mut programs[usize::from(side)];
                    let number = &mut program.sent[usize::from(name)];
                    if let Some(channel) = program.open[usize::from(name)] {
                        let session = &mut pair.end(of(side)).session;
                        let sent = session.send_on_channel(channel, message(*number, len));
                        prop_assert_eq!(matches!(sent, Err(ChannelError::TooLong { .. })), len > 150_000 && session.is_channel_up(channel));
                        *number += u32::from(sent.is_ok());
                    }
                }
                Step::Cast(len) => pair.a.session.cast(numbered(7, 0, len)).unwrap(),
                Step::Take(side) => programs[usize::from(side)].take(pair.end(of(side))),
                Step::Pass(ms) => pair.drive(Duration::from_millis(ms)),
            }
            pair.drain();
        }
        for _ in 0..100 {
            for side in [true, false] {
                programs[usize::from(side)].take(pair.end(of(side)));
            }
            pair.settle();
        }
        for side in [true, false] {
            let session = &pair.end(of(side)).session;
            prop_assert!(!session.is_closed());
            for channel in programs[usize::from(side)].open.into_iter().flatten() {
                prop_assert_eq!(session.channel_queued_len(channel), 0);
            }
        }
    }

    #[test]
    fn nothing_is_lost_on_channels_that_stay_open(
        lens in vec((any::<bool>(), 4..150_000usize), 1..60),
        capacity in 1..400_000usize,
    ) {
        let wide = ChannelConfig { max_queued: usize::MAX, ..config() };
        let (mut pair, to_b, to_a) = talking_with(wide, wide);
        pair.capacity = capacity;
        let mut expected = [Vec::new(), Vec::new()];
        for (number, (to, len)) in lens.into_iter().enumerate() {
            let what = message(number as u32, len);
            let (side, channel) = if to { (Side::A, to_b) } else { (Side::B, to_a) };
            pair.end(side).session.send_on_channel(channel, what.clone()).unwrap();
            expected[usize::from(to)].push(what);
        }
        let mut got = [Vec::new(), Vec::new()];
        for _ in 0..200 {
            got[0].extend(heard(&mut pair, Side::A));
            got[1].extend(heard(&mut pair, Side::B));
            pair.drive(LATENCY * 100);
        }
        prop_assert!(got == expected);
    }
}
