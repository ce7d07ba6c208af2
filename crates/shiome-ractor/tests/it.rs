//! The bridge opposite a peer that speaks the wire by hand, over memory links and on virtual time.
//!
//! Time is paused: it only passes while nobody has anything to do.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod it {
    mod admission;
    mod builder;
    mod channels;
    mod exposure;
    #[cfg(feature = "membership")]
    mod gossip;
    mod handles_over_links;
    mod hostile;
    mod inspect;
    mod links;
    mod membership;
    mod messages;
    mod native;
    mod node_names;
    mod reconnect;
    mod remote_handles;
    mod remote_refs;
    mod sessions;
    mod supervision;
    mod support;
    mod takeover;
    mod trace;
    mod transitive_tls;
}
