//! Ports for nodes to listen on.

use std::{
    net::{Ipv6Addr, TcpListener},
    sync::atomic::{AtomicU16, Ordering},
};

use super::HOST;

/// A port below those that systems give to outgoing connections, so that no connection takes it before its node does.
pub(super) fn free() -> Result<u16, String> {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Runs at the same time on one machine start at different places.
    let start = std::process::id().wrapping_mul(97) % u32::from(COUNT);
    for _ in 0..COUNT {
        let next = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let offset = (start + next) % u32::from(COUNT);
        let port = FIRST + u16::try_from(offset).expect("the offset is below a u16");
        let free = TcpListener::bind((HOST, port)).is_ok()
            && TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).is_ok();
        if free {
            return Ok(port);
        }
    }
    Err("no free port".to_owned())
}
