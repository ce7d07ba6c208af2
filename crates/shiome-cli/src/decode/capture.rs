//! Captures: what went over which connection, put together.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::SocketAddr,
    path::Path,
};

use super::{
    Args, DecodeError, Format,
    gossip::{self, GossipKey},
    output::{Output, Source},
};
use crate::error::Error;

mod conversation;
mod packet;
mod reader;
mod stream;

use conversation::Conversation;
use packet::{Packet, Segment};

/// Most directions of connections, and pairs of addresses of datagrams, that are followed at a time. A capture of one
/// cluster has far fewer, and each may hold what its connection owes.
const MAX_FLOWS: usize = 4096;

/// Explains the frames and datagrams of a capture.
pub(super) fn explain<W: Write>(
    file: Box<dyn Read + Send>,
    path: &Path,
    args: &Args,
    key: Option<GossipKey>,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let mut capture = Capture::new(args, key, output);
    let read = reader::packets(file, |captured| {
        let packet = packet::parse(captured.link, captured.data);
        capture.packet(packet, captured.time)
    });
    // What was read before the capture turned out to be broken is worth something.
    let end = match read {
        Ok(reader::End::Whole) => None,
        Ok(reader::End::Cut) => Some("the capture ends inside a packet"),
        Err(reader::ReadError::Print(error)) => return Err(Error::Print(error)),
        Err(reader::ReadError::Capture(reason)) => {
            capture.finish().map_err(Error::Print)?;
            let path = path.to_owned();
            return Err(DecodeError::Capture { path, reason }.into());
        }
    };
    capture.finish().map_err(Error::Print)?;
    end.map_or(Ok(()), |note| output.note(note, None))
        .map_err(Error::Print)
}

/// Who sent to whom.
type Flow = (SocketAddr, SocketAddr);

struct Capture<'o, W> {
    ports: Vec<u16>,
    format: Option<Format>,
    key: Option<GossipKey>,
    output: &'o mut Output<W>,
    conversations: BTreeMap<Flow, Conversation>,
    /// How many datagrams that are no gossip went between whom.
    strangers: BTreeMap<Flow, u64>,
    missed: Missed,
}

/// Packets that were not looked at.
#[derive(Default)]
struct Missed {
    fragments: u64,
    unreadable: u64,
    cut: u64,
    flows: u64,
}

impl<'o, W: Write> Capture<'o, W> {
    fn new(args: &Args, key: Option<GossipKey>, output: &'o mut Output<W>) -> Self {
        Self {
            ports: args.ports.clone(),
            format: args.format,
            key,
            output,
            conversations: BTreeMap::new(),
            strangers: BTreeMap::new(),
            missed: Missed::default(),
        }
    }

    fn is_wanted(&self, (from, to): &Flow) -> bool {
        let is_wanted = |port: &u16| [from.port(), to.port()].contains(port);
        self.ports.is_empty() || self.ports.iter().any(is_wanted)
    }

    fn packet(&mut self, packet: Packet<'_>, time: Option<String>) -> io::Result<()> {
        match packet {
            Packet::Tcp { flow, segment } if self.is_wanted(&flow) => {
                self.segment(flow, &segment, time)
            }
            Packet::Udp { flow, .. } | Packet::Tcp { flow, .. } if !self.is_wanted(&flow) => Ok(()),
            Packet::Udp { is_cut: true, .. } => {
                self.missed.cut += 1;
                Ok(())
            }
            Packet::Udp { flow, payload, .. } => self.datagram(flow, payload, time),
            Packet::Fragment => {
                self.missed.fragments += 1;
                Ok(())
            }
            Packet::Unreadable => {
                self.missed.unreadable += 1;
                Ok(())
            }
            Packet::Other | Packet::Tcp { .. } => Ok(()),
        }
    }

    fn segment(
        &mut self,
        flow: Flow,
        segment: &Segment<'_>,
        time: Option<String>,
    ) -> io::Result<()> {
        if matches!(self.format, Some(Format::Gossip | Format::GossipCompact)) {
            return Ok(());
        }
        let source = source("tcp", &flow, time);
        if segment.opens
            && let Some(former) = self.conversations.get(&flow)
            && !former.is_opened_by(segment)
            && let Some(former) = self.conversations.remove(&flow)
        {
            // The same addresses are used for a connection of their own.
            former.finish(&source, self.output)?;
        }
        if !self.conversations.contains_key(&flow) && self.conversations.len() >= MAX_FLOWS {
            self.missed.flows += 1;
            return Ok(());
        }
        self.conversations
            .entry(flow)
            .or_default()
            .segment(segment, &source, self.output)
    }

    fn datagram(&mut self, flow: Flow, payload: &[u8], time: Option<String>) -> io::Result<()> {
        let format = self.format.or_else(|| Format::of(payload));
        match format {
            Some(format @ (Format::Gossip | Format::GossipCompact)) => {
                let explained = gossip::explain(payload.to_vec().into(), format, self.key.as_ref());
                let source = source("udp", &flow, time);
                self.output.explained(&explained, Some(&source))
            }
            Some(Format::Frame) if self.format.is_some() => Ok(()),
            _ if self.strangers.len() < MAX_FLOWS || self.strangers.contains_key(&flow) => {
                *self.strangers.entry(flow).or_default() += 1;
                Ok(())
            }
            _ => {
                self.missed.flows += 1;
                Ok(())
            }
        }
    }

    /// Tells what was left when the capture ended.
    fn finish(self) -> io::Result<()> {
        for (flow, conversation) in self.conversations {
            conversation.finish(&source("tcp", &flow, None), self.output)?;
        }
        for (flow, count) in self.strangers {
            let note = format!("{count} datagrams are no gossip");
            let source = source("udp", &flow, None);
            self.output.note(&note, Some(&source))?;
        }
        let Missed {
            fragments,
            unreadable,
            cut,
            flows,
        } = self.missed;
        for (count, what) in [
            (fragments, "are fragments of IP, which are not put together"),
            (
                unreadable,
                "are of a link or a protocol that is not understood",
            ),
            (cut, "hold a datagram that was not captured in full"),
            (flows, "are of more connections than are followed"),
        ] {
            if count > 0 {
                self.output.note(&format!("{count} packets {what}"), None)?;
            }
        }
        Ok(())
    }
}

fn source(protocol: &'static str, (from, to): &Flow, time: Option<String>) -> Source {
    Source {
        protocol,
        from: from.to_string(),
        to: to.to_string(),
        time,
    }
}

#[cfg(test)]
mod tests;
