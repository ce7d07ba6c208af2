use shiome_handshake::read_hello;

use crate::script::Script;

mod end;
mod knowledge;
mod world;

use end::End;
use world::{Setting, World};

/// A script of an attacker that owns the network between two nodes, or has found one of them, and does not know the
/// cookie. It opens connections, passes on, changes and makes up messages from all that it has seen, and lets time pass
/// and owners answer as it likes. Alone it gets in nowhere; between nodes that demand the proof it gets no more than
/// what it passes on untouched.
pub fn handshake_script(input: &[u8]) {
    play(input);
}

fn play(input: &[u8]) -> World {
    let mut script = Script::new(input);
    let mut world = World::new(Setting::from_bits(script.byte()));
    while !script.is_over() {
        world.step(&mut script);
        check(&world);
    }
    world.let_all_time_pass();
    check(&world);
    assert!(world.ends.iter().all(|end| end.handshake.is_finished()));
    world
}

fn check(world: &World) {
    for end in &world.ends {
        end.check();
        if !end.handshake.is_authenticated() {
            continue;
        }
        assert!(world.setting.has_honest_peers(), "in without the cookie");
        if world.setting.is_proven() {
            check_partner(world, end);
        }
    }
}

/// An authenticated end talks to one other and to no third, in the other role at another node; and both have seen the
/// same of each other. That the other is sure of it, too, no message can tell: the attacker may keep the last one.
fn check_partner(world: &World, end: &End) {
    let peer = end.peer.as_ref().expect("it has told whom it met");
    let native = peer.native.as_ref().expect("a proof was demanded");
    let is_partner = |other: &&End| native.hello.nonce == other.nonce[..];
    let partner = world.ends.iter().find(is_partner);
    let partner = partner.expect("nobody else announces anything");
    assert_ne!(partner.node, end.node);
    assert_ne!(partner.handshake.side(), end.handshake.side());
    assert_eq!(peer.name.name, partner.local().name);
    assert_eq!(
        peer.name.connection_string,
        partner.local().connection_string
    );
    let seen = partner.handshake.peer().expect("it has met somebody");
    let hello = read_hello(seen.flags.as_ref()).expect("a proof was demanded");
    assert_eq!(hello.nonce, end.nonce[..]);
    assert_eq!(seen.name, end.local().name);
    assert_eq!(seen.connection_id, peer.name.connection_id);
}

#[cfg(test)]
mod tests {
    use super::{world::Op, *};

    /// A script that opens a client at one node and a server at the other, and passes on all that they say.
    fn relay(setting: u8) -> Vec<u8> {
        let mut script = vec![setting, Op::OPEN_CLIENT, 0, Op::OPEN_SERVER, 1];
        let pass = |message: u8, end: u8| [Op::PASS, end, message];
        // Name; the server's owner admits it; status and challenge; reply; acknowledgement and proof; proof.
        script.extend(pass(0, 1));
        script.extend([Op::ANSWER, 1, 0]);
        for (message, end) in [(1, 0), (2, 0), (3, 1), (4, 0), (5, 0), (6, 1)] {
            script.extend(pass(message, end));
        }
        script
    }

    #[test]
    fn an_attacker_that_passes_all_on_lets_them_meet() {
        for setting in [Setting::PEERS, Setting::PEERS | Setting::NATIVE] {
            let world = play(&relay(setting));
            let met = |end: &End| end.handshake.is_authenticated();
            assert!(world.ends.iter().all(met), "{setting}");
        }
    }

    #[test]
    fn on_two_channels_it_does_not() {
        let setting = Setting::PEERS | Setting::NATIVE | Setting::BOUND;
        let world = play(&relay(setting));
        let met = |end: &End| end.handshake.is_authenticated();
        assert!(!world.ends.iter().any(met));
    }

    /// A client and a server of the same node, between which the attacker stands under another name.
    #[test]
    fn a_node_does_not_answer_its_own_challenge() {
        let mut script = vec![0, Op::OPEN_CLIENT, 0, Op::OPEN_SERVER, 0];
        let stranger = [0, 0, 0];
        script.extend([Op::FORGE, 1, 0]);
        script.extend(stranger);
        script.extend([0, Op::ANSWER, 1, 0]);
        // The server's status, and its challenge, the last that is known; the answer back.
        script.extend([Op::PASS, 0, 1, Op::FORGE, 0, 3]);
        script.extend(stranger);
        script.extend([0, Op::PASS_LAST, 1, 0]);
        let world = play(&script);
        assert!(world.ends[0].is_closed, "{:?}", world.ends);
    }
}
