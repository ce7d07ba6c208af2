//! A link between the machines of a client and a server as a script, for the fuzz targets: what holds whatever happens when.

use std::time::Duration;

use super::pair::{MS, Pair, config, envelope};
use crate::wire::{CloseReason, Refused};

/// Time in which all that is left to be done is done.
const LONG: Duration = Duration::from_secs(600);

/// What was sent and heard in one direction.
#[derive(Debug, Default)]
struct Way {
    sent: u64,
}

/// Runs a script, of a byte for what happens and one for how.
///
/// # Panics
///
/// When something does not hold: what one end sends the other hears in order and, as long as the server remembers, all of it, once.
pub fn script(input: &[u8]) {
    let mut pair = Pair::new(config());
    let (mut up, mut down) = (Way::default(), Way::default());
    // As long as nobody says what our machines would not, and the server does not forget.
    let (mut honest, mut remembers) = (true, true);
    for step in input.chunks_exact(2) {
        let how = step[1];
        match step[0] % 9 {
            0 => up.sent += u64::from(pair.session.push(&envelope(up.sent + 1)).is_ok()),
            1 => {
                let pushed = pair.server.session.push(&envelope(down.sent + 1));
                down.sent += u64::from(pushed.is_ok());
            }
            2 => pair.drive(),
            3 => pair.run(MS * 100 * u32::from(how)),
            4 => pair.cut(),
            // What a connection loses it does not find again: it is lost itself.
            5 => pair.up.dead = true,
            6 => pair.down.dead = true,
            7 => {
                honest = false;
                pair.say(SAYINGS[usize::from(how) % SAYINGS.len()]);
            }
            _ if how < 128 => pair.reachable = how & 1 == 0,
            _ if how < 192 => {
                pair.server.refuses = Some(Refused {
                    retry_ms: Some(u64::from(how)),
                    ..Refused::new(CloseReason::of_code(4100 + u16::from(how % 10)))
                });
            }
            _ => {
                remembers = false;
                pair.server.remembers = how & 1 == 0;
            }
        }
    }
    pair.drive();
    pair.reachable = true;
    pair.server.refuses = None;
    if pair.up.dead || pair.down.dead {
        pair.cut();
    }
    pair.run(LONG);
    if honest {
        holds(&pair, up.sent, remembers);
    }
}

fn holds(pair: &Pair, sent: u64, remembers: bool) {
    let rises = |numbers: &[u64]| numbers.windows(2).all(|two| two[0] < two[1]);
    assert!(rises(&pair.heard), "{:?}", pair.heard);
    let mut first = pair.server.heard.clone();
    if remembers {
        assert!(rises(&first), "{first:?}");
    }
    // Those that the destination takes for copies.
    let mut latest = 0;
    first.retain(|number| {
        let new = *number > latest;
        latest = latest.max(*number);
        new
    });
    let ended = pair.told.iter().any(|told| told.starts_with("ended"));
    if !ended {
        assert!(first.iter().copied().eq(1..=sent), "{first:?} of {sent}");
        assert_eq!(pair.session.queued(), 0);
    }
}

/// What a server of ours would not say, or not then.
const SAYINGS: [&str; 10] = [
    "{",
    "[]",
    r#"[{"type":"ack","received":1}]"#,
    r#"[{"type":"ack","received":9007199254740991}]"#,
    r#"[{"type":"ping","nonce":3},{"type":"pong","nonce":9}]"#,
    r#"[{"type":"goodbye","reason":"going-away"}]"#,
    r#"[{"type":"refused","reason":"name-taken","retry_ms":5}]"#,
    r#"[{"type":"presence","all":true,"more":true,"present":[["a",1]]}]"#,
    r#"[{"type":"hello","version":1,"id":"a","incarnation":1}]"#,
    r#"[{"type":"welcome","version":1,"id":"relay","incarnation":1,"reclaim":"r","resumed":true,"received":7}]"#,
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_course_of_a_link_keeps_what_is_promised(input: Vec<[u8; 2]>) {
            script(input.as_flattened());
        }
    }
}
