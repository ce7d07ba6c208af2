//! Two nodes without actors, over each kind of link: from the first byte to the last.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod links {
    mod endpoint;
    mod kinds;
    mod lifecycle;
    mod native;
    mod pressure;
}
