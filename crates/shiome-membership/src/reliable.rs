//! Pings over TCP, for members that do not answer datagrams: a path that drops UDP must not look like a dead member.
//!
//! They go to the port number that the member advertises for gossip. One connection serves one ping; each side says one
//! message of fixed length. Integers are little-endian.
//!
//! | offset | bytes | field                                                                      |
//! |--------|-------|----------------------------------------------------------------------------|
//! | 0      | 6     | `shiome`                                                                   |
//! | 6      | 1     | version, 1                                                                 |
//! | 7      | 1     | `?` asks, `!` answers                                                      |
//! | 8      | 8     | id of the cluster                                                          |
//! | 16     | 16    | id of the node that is asked, and that answers                             |
//! | 32     | 8     | token, random, which the answer repeats                                    |
//!
//! Messages are protected as datagrams are: 32 bytes longer with a password, 52 when encrypted (first byte 0x81). Who
//! asks wrongly is not answered. A recorded question makes a node say once more that it is there; a recorded answer has
//! the wrong token.

mod answer;
mod ask;
mod message;

use std::{io, sync::Arc};

use shiome_gossip::{NodeId, TAG_LEN as HMAC_LEN};
use thiserror::Error;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    clock,
    security::{ENCRYPTION_OVERHEAD, HEADER_LEN, PING_TAG, Protection},
};

pub(crate) use answer::Listener;
pub(crate) use ask::ask;
use message::{Kind, MESSAGE_LEN, Message};

/// What the two ends have to have in common.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) cluster: u64,
    pub(crate) me: NodeId,
    pub(crate) protection: Arc<Protection>,
}

/// Why a ping failed.
#[derive(Debug, Error)]
pub(crate) enum PingError {
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The other end said something that is no message, or not one that belongs here.
    #[error("the other end does not speak our language")]
    Unexpected,
}

impl Context {
    async fn write(&self, stream: &mut TcpStream, message: &Message) -> Result<(), PingError> {
        let mut frame = [0; HEADER_LEN + MESSAGE_LEN + HMAC_LEN + ENCRYPTION_OVERHEAD];
        frame[HEADER_LEN..][..MESSAGE_LEN].copy_from_slice(&message.encode(self.cluster));
        let range = self
            .protection
            .seal(PING_TAG, clock::unix_seconds(), &mut frame, MESSAGE_LEN)
            .expect("the frame is as long as the longest sealed message");
        stream.write_all(&frame[range]).await?;
        Ok(())
    }

    /// Reads a message of that kind, and no byte more than it is long.
    async fn read(&self, stream: &mut TcpStream, kind: Kind) -> Result<Message, PingError> {
        let mut buf = [0; MESSAGE_LEN + ENCRYPTION_OVERHEAD];
        let (first, rest) = buf.split_at_mut(1);
        stream.read_exact(first).await?;
        let len = match &*self.protection {
            Protection::Hmac(_) => MESSAGE_LEN + HMAC_LEN,
            Protection::Plaintext | Protection::Encrypted(_) if first == [PING_TAG] => {
                MESSAGE_LEN + ENCRYPTION_OVERHEAD
            }
            Protection::Plaintext | Protection::Encrypted(_) => MESSAGE_LEN,
        };
        stream.read_exact(&mut rest[..len - 1]).await?;
        let (_, message) = self
            .protection
            .open(PING_TAG, &mut buf[..len], |_| Ok(()))
            .map_err(|_| PingError::Unexpected)?;
        Message::decode(message, kind, self.cluster).ok_or(PingError::Unexpected)
    }
}

#[cfg(test)]
mod tests;
