use shiome_swim::{Config, Suspicion};

use super::Ours;

/// Our engine with all the settings that experiments ask for. With parts of Lifeguard switched off it stands for the
/// algorithms that the Lifeguard paper compares.
pub fn all() -> Vec<Ours> {
    // What of `Config` cannot be switched off, such as probing a suspect out of turn, is in all of them.
    let lifeguard = |name, alpha, beta, confirmations, max_local_health| {
        let mut config = Config::default();
        config.suspicion = Suspicion {
            alpha,
            beta,
            confirmations,
        };
        config.max_local_health = max_local_health;
        Ours::new(name, config)
    };
    let health = Config::default().max_local_health;
    let mut reliable = Config::default();
    reliable.reliable_pings = true;
    let mut classic = Config::default();
    classic.compact = false;
    vec![
        Ours::new("shiome", Config::default()),
        Ours::new("shiome fast", Config::fast()),
        Ours::new("shiome, reliable pings", reliable),
        Ours::new("shiome, classic form", classic),
        lifeguard("SWIM", 5.0, 1.0, 0, 0),
        lifeguard("LHA-Probe", 5.0, 1.0, 0, health),
        lifeguard("LHA-Suspicion", 5.0, 6.0, 3, 0),
        lifeguard("Lifeguard 5 6 3", 5.0, 6.0, 3, health),
        lifeguard("Lifeguard 4 6 3", 4.0, 6.0, 3, health),
        lifeguard("Lifeguard 3 8 4", 3.0, 8.0, 4, health),
        lifeguard("Lifeguard 2 6 3", 2.0, 6.0, 3, health),
    ]
}
