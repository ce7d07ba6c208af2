//! A client that speaks the protocol by hand and keeps to it as far as it likes.
//!
//! It shares no code with the nodes: fields are written and read here one by one. `proto/` has their names.

mod fields;

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};

use super::node::COOKIE;
use fields::{Fields, bytes, message, number};

/// Time for the node to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longest frame that a node has reason to send here.
const MAX_FRAME_LEN: u64 = 16 * 1024 * 1024;

// Members of `meta.NetworkMessage`.
const AUTH: u64 = 1;
const CONTROL: u64 = 3;

// Members of `control.ControlMessage`.
const SPAWN: u64 = 1;
const PING: u64 = 3;
const PONG: u64 = 4;

/// A connection to a node.
pub(crate) struct Client {
    stream: TcpStream,
}

impl Client {
    /// Opens a connection and says nothing.
    ///
    /// # Errors
    ///
    /// What to tell when the node does not take it.
    pub(crate) fn dial(address: &str) -> Result<Self, String> {
        let stream = TcpStream::connect(address).map_err(|e| format!("{address}: {e}"))?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        Ok(Self { stream })
    }

    /// Opens a connection and goes through the handshake as a node of this name.
    ///
    /// # Errors
    ///
    /// What to tell when the node does not let it in.
    pub(crate) fn join(address: &str, name: &str) -> Result<Self, String> {
        let mut client = Self::dial(address)?;
        let mut own = Vec::new();
        bytes(&mut own, 1, format!("{name}@by-hand").as_bytes());
        message(&mut own, 2, |flags| number(flags, 1, 1));
        bytes(&mut own, 3, format!("{name}:1").as_bytes());
        number(&mut own, 4, 1);
        client.send(AUTH, |auth| bytes(auth, 1, &own))?;
        let challenge = client.auth(4)?;
        let challenge = Fields(&challenge).number(3).unwrap_or(0);
        let challenge = u32::try_from(challenge).map_err(|e| e.to_string())?;
        let mut digest = Sha256::new();
        digest.update(challenge.to_be_bytes());
        digest.update(COOKIE.as_bytes());
        let digest = digest.finalize();
        client.send(AUTH, |auth| {
            message(auth, 5, |reply| {
                number(reply, 1, 7);
                bytes(reply, 2, &digest);
            });
        })?;
        client.auth(6)?;
        Ok(client)
    }

    /// Announces actors with these pids in one message, and returns its length.
    ///
    /// # Errors
    ///
    /// What to tell when the node does not take it.
    pub(crate) fn announce(&mut self, pids: std::ops::Range<u64>) -> Result<usize, String> {
        self.send(CONTROL, |control| {
            message(control, SPAWN, |spawn| {
                for pid in pids {
                    message(spawn, 1, |actor| number(actor, 1, pid));
                }
            });
        })
    }

    /// Sends a Pong that nobody asked for, with this time in seconds or none.
    ///
    /// # Errors
    ///
    /// What to tell when the node does not take it.
    pub(crate) fn pong(&mut self, seconds: Option<u64>) -> Result<usize, String> {
        self.send(CONTROL, |control| timed(control, PONG, seconds))
    }

    /// Whether the node answers a Ping within this time. `Ok(false)` is also the answer of a connection that was closed.
    ///
    /// # Errors
    ///
    /// What to tell when the node says what it must not.
    pub(crate) fn pings(&mut self, patience: Duration) -> Result<bool, String> {
        let deadline = Instant::now() + patience;
        if self
            .send(CONTROL, |control| timed(control, PING, Some(77)))
            .is_err()
        {
            return Ok(false);
        }
        while let Some(frame) = self.receive(deadline)? {
            let control = Fields(&frame).bytes(CONTROL);
            let pong = control.and_then(|control| Fields(control).bytes(PONG));
            let time = pong.and_then(|pong| Fields(pong).bytes(1));
            if time.and_then(|time| Fields(time).number(1)) == Some(77) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Sends bytes as they are, until all are gone or the node takes no more, and returns how many it took.
    pub(crate) fn throw(&mut self, bytes: &[u8], patience: Duration) -> usize {
        // Without a limit the rest of this would wait for a node that does not read.
        let _ = self.stream.set_write_timeout(Some(patience));
        let mut taken = 0;
        while taken < bytes.len() {
            match self.stream.write(&bytes[taken..]) {
                Ok(0) | Err(_) => break,
                Ok(written) => taken += written,
            }
        }
        taken
    }

    /// How long it takes until the node closes the connection, at most this long.
    pub(crate) fn closed_after(&mut self, patience: Duration) -> Option<Duration> {
        let start = Instant::now();
        let mut skipped = [0; 4096];
        loop {
            let left = patience
                .checked_sub(start.elapsed())
                .filter(|t| !t.is_zero())?;
            self.stream.set_read_timeout(Some(left)).ok()?;
            match self.stream.read(&mut skipped) {
                Ok(0) => return Some(start.elapsed()),
                Ok(_) => {}
                Err(e) if is_timeout(e.kind()) => return None,
                Err(_) => return Some(start.elapsed()),
            }
        }
    }

    /// Sends a frame with one member of the network message, and returns the length of its body.
    fn send(&mut self, member: u64, write: impl FnOnce(&mut Vec<u8>)) -> Result<usize, String> {
        let mut body = Vec::new();
        message(&mut body, member, write);
        let mut frame = u64::to_be_bytes(body.len() as u64).to_vec();
        frame.append(&mut body);
        let sent = self.stream.write_all(&frame);
        sent.map_err(|e| format!("the node does not take it: {e}"))?;
        Ok(frame.len() - size_of::<u64>())
    }

    /// Waits for a handshake message, skipping others.
    fn auth(&mut self, member: u64) -> Result<Vec<u8>, String> {
        let deadline = Instant::now() + PATIENCE;
        while let Some(frame) = self.receive(deadline)? {
            let auth = Fields(&frame).bytes(AUTH);
            if let Some(found) = auth.and_then(|auth| Fields(auth).bytes(member)) {
                return Ok(found.to_vec());
            }
        }
        Err(format!("no handshake message {member} came"))
    }

    /// The next frame's body, or `None` when none comes until then or the connection is closed.
    fn receive(&mut self, deadline: Instant) -> Result<Option<Vec<u8>>, String> {
        let Some(prefix) = self.read(size_of::<u64>(), deadline) else {
            return Ok(None);
        };
        let len = prefix
            .iter()
            .fold(0, |len, byte| len << 8 | u64::from(*byte));
        if len > MAX_FRAME_LEN {
            return Err(format!("the node announces {len} bytes"));
        }
        let len = usize::try_from(len).map_err(|e| e.to_string())?;
        Ok(self.read(len, deadline))
    }

    fn read(&mut self, len: usize, deadline: Instant) -> Option<Vec<u8>> {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = left.max(Duration::from_millis(1));
        self.stream.set_read_timeout(Some(left)).ok()?;
        let mut bytes = vec![0; len];
        self.stream.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }
}

/// Writes a Ping or Pong.
fn timed(control: &mut Vec<u8>, member: u64, seconds: Option<u64>) {
    message(control, member, |ping| {
        if let Some(seconds) = seconds {
            message(ping, 1, |timestamp| number(timestamp, 1, seconds));
        }
    });
}

fn is_timeout(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
