#![allow(clippy::unwrap_used, reason = "tests")]

mod classic;
mod cluster;
mod failure;
mod hostile;
mod liars;
mod net;
mod presence;

use net::Net;
