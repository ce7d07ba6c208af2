use shiome_session::{MAX_CONTROL_BACKLOG, MAX_EXPRESS_BACKLOG};

use crate::{memory::within, script::Script};

mod owner;
mod peer;

use owner::Owner;

/// Longer ones find nothing that shorter ones do not, in more time.
const MAX_SCRIPT: usize = 2_000;

/// Memory that a session of tight limits may take, in bytes, with what its owner keeps and the payloads that the script
/// makes up: what may wait without being waited for, which cannot be set, and the rest.
const MEMORY: usize = MAX_EXPRESS_BACKLOG + MAX_CONTROL_BACKLOG + 8 * 1024 * 1024;

/// A script of a session, of its owner and of what its peer says, at any times and with a link that takes little or much:
/// memory within the limits, and what was begun ends once.
pub fn session_script(input: &[u8]) {
    let mut script = Script::new(&input[..input.len().min(MAX_SCRIPT)]);
    within(MEMORY, || play(&mut script));
}

fn play(script: &mut Script<'_>) {
    let mut owner = Owner::new(script.byte());
    while !script.is_over() {
        match script.below(4) {
            0 | 1 => {
                let message = peer::message(script);
                owner.hear(message);
            }
            2 => owner.act(script),
            _ => owner.go_on(script),
        }
        owner.check();
    }
    owner.end();
}
