//! Channels, on which the programs of the two nodes speak beside their actors.

use bytes::Bytes;
use shiome_wire::{Capabilities, meta::NetworkMessage, native};

use super::{Phase, Session};
use crate::{
    channels::{ChannelConfig, ChannelError, ChannelId},
    error::SessionError,
    event::{Event, Skipped},
};

impl<C> Session<C> {
    /// Takes messages on a channel from now on. [`Event::ChannelUp`] comes as soon as the peer does, too; at once, if it has
    /// before. Limits are raised to what works, see [`ChannelConfig`].
    ///
    /// # Errors
    ///
    /// [`ChannelError::NotNegotiated`] for peers that know no channels, [`ChannelError::InvalidName`],
    /// [`ChannelError::NameInUse`], [`ChannelError::TooMany`], [`ChannelError::Closed`]; the peer is told nothing.
    pub fn open_channel(
        &mut self,
        name: &str,
        config: ChannelConfig,
    ) -> Result<ChannelId, ChannelError> {
        if self.phase != Phase::Open {
            return Err(ChannelError::Closed);
        }
        if !self.can(Capabilities::CHANNELS) {
            return Err(ChannelError::NotNegotiated);
        }
        let (channel, told, up) = self.channels.open(name, config)?;
        self.transmit(told);
        if let Some(max_message_len) = up {
            self.tell(Event::ChannelUp {
                channel,
                max_message_len,
            });
        }
        Ok(channel)
    }

    /// Takes nothing more on a channel, and forgets what waits there. When it is not open, nothing happens.
    pub fn close_channel(&mut self, channel: ChannelId) {
        if self.channels.close(channel) {
            self.transmit(native::ChannelClose { number: channel.0 });
        }
    }

    /// Sends a message on a channel.
    ///
    /// # Errors
    ///
    /// [`ChannelError::NotOpen`], [`ChannelError::TooLong`], [`ChannelError::Full`], [`ChannelError::Closed`]; nothing is sent.
    pub fn send_on_channel(&mut self, channel: ChannelId, data: Bytes) -> Result<(), ChannelError> {
        if self.phase != Phase::Open {
            return Err(ChannelError::Closed);
        }
        self.channels.send(channel, data)
    }

    /// The owner is done with an [`Event::ChannelMessage`] of that cost: the peer may send more.
    pub fn taken_from_channel(&mut self, channel: ChannelId, cost: u64) {
        if let Some(bytes) = self.channels.taken(channel, cost) {
            self.grant(channel, bytes);
        }
    }

    /// Whether both sides have opened the channel.
    pub fn is_channel_up(&self, channel: ChannelId) -> bool {
        self.channels.is_up(channel)
    }

    /// Bytes that wait on a channel to be sent, with 64 bytes a message.
    pub fn channel_queued_len(&self, channel: ChannelId) -> usize {
        self.channels.queued(channel)
    }

    fn grant(&mut self, channel: ChannelId, bytes: u64) {
        let number = channel.0;
        self.transmit(native::ChannelCredit { number, bytes });
    }

    pub(super) fn on_channel_open(
        &mut self,
        open: native::ChannelOpen,
    ) -> Result<(), SessionError> {
        let max_message_len = open.max_message_len;
        if let Some(channel) = self.channels.opened(open)? {
            self.tell(Event::ChannelUp {
                channel,
                max_message_len,
            });
        }
        Ok(())
    }

    pub(super) fn on_channel_data(
        &mut self,
        data: &native::ChannelData,
    ) -> Result<(), SessionError> {
        match self.channels.arrived(data)? {
            Some((channel, Some(arrived))) => self.tell(Event::ChannelMessage {
                channel,
                data: arrived.data,
                cost: arrived.cost,
            }),
            Some((_, None)) => {}
            None => self.skip(Skipped::ChannelClosed),
        }
        Ok(())
    }

    pub(super) fn on_channel_credit(
        &mut self,
        credit: &native::ChannelCredit,
    ) -> Result<(), SessionError> {
        Ok(self.channels.granted(credit.number, credit.bytes)?)
    }

    pub(super) fn on_channel_close(
        &mut self,
        close: &native::ChannelClose,
    ) -> Result<(), SessionError> {
        if let Some((channel, granted)) = self.channels.closed(close.number)? {
            if let Some(bytes) = granted {
                self.grant(channel, bytes);
            }
            self.tell(Event::ChannelDown { channel });
        }
        Ok(())
    }

    /// Whether a piece of a channel goes before what else waits.
    pub(super) fn is_channels_turn(&self) -> bool {
        self.channels.is_next() && !self.lanes.is_urgent()
    }

    /// The next piece of a channel.
    pub(super) fn next_piece(&mut self) -> Option<NetworkMessage> {
        let piece = self.channels.pop(self.lanes.has_bulk())?;
        if let Some(channel) = piece.room {
            self.tell(Event::ChannelRoom { channel });
        }
        Some(piece.message.into())
    }
}
