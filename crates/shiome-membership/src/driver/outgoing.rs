use std::{net::SocketAddr, ops::Range, time::Duration};

use shiome_swim::ReliablePing;
use tokio::time::timeout;

use super::Driver;
use crate::{clock, reliable, security::HEADER_LEN, socket::Fault};

/// Most pings over TCP at a time. The engine begins one for each probe that fails.
const MAX_RELIABLE_PINGS: usize = 32;

impl Driver {
    /// Sends what the engine has to send, as far as the socket has room. The rest stays in the engine.
    pub(super) fn transmit(&mut self) {
        if let Some((to, frame)) = self.unsent.take()
            && !self.send(to, frame)
        {
            return;
        }
        loop {
            let room = &mut self.buffers.send[HEADER_LEN..][..self.parts.message_len];
            let Some(transmit) = self.shared.engine().poll_transmit(room) else {
                return;
            };
            let now = clock::unix_seconds();
            let frame = self
                .parts
                .guard
                .seal(now, &mut self.buffers.send, transmit.len)
                .expect("the frame has room for the longest message and its protection");
            if !self.send(transmit.to, frame) {
                return;
            }
        }
    }

    /// Returns whether the next datagram may follow.
    fn send(&mut self, to: SocketAddr, frame: Range<usize>) -> bool {
        let counters = &self.shared.counters;
        match self
            .parts
            .socket
            .try_send(&self.buffers.send[frame.clone()], to)
        {
            Ok(()) => {
                counters.sent.increment();
                counters.sent_bytes.add(frame.len() as u64);
            }
            Err(Fault::WouldBlock) => {
                counters.send_waits.increment();
                self.unsent = Some((to, frame));
                return false;
            }
            Err(Fault::TooLong) => counters.send_too_long.increment(),
            Err(Fault::Unreachable) => counters.send_unreachable.increment(),
            Err(Fault::Earlier) => counters.network_errors.increment(),
            Err(Fault::Other(error)) => {
                counters.send_failed.increment();
                tracing::debug!(%to, %error, "cannot send");
            }
        }
        true
    }

    pub(super) fn ping(&mut self) {
        loop {
            let ping = self.shared.engine().poll_reliable_ping();
            let (Some(ping), Some((context, deadline))) = (ping, &self.parts.reliable) else {
                return;
            };
            if self.pings.len() >= MAX_RELIABLE_PINGS {
                self.shared.counters.reliable_pings_dropped.increment();
                continue;
            }
            self.shared.counters.reliable_pings.increment();
            self.pings.spawn(ask(context.clone(), ping, *deadline));
        }
    }
}

/// The ping's token, if it was answered in time.
async fn ask(context: reliable::Context, ping: ReliablePing, deadline: Duration) -> Option<u64> {
    let asked = timeout(deadline, reliable::ask(&context, ping.addr, ping.member)).await;
    matches!(asked, Ok(Ok(()))).then_some(ping.token)
}
