#![allow(clippy::unwrap_used, reason = "tests")]

mod cluster;
mod net;

use net::Net;
