//! Packets of pcap and pcapng files.

use std::io::{self, Read};

use pcap_parser::{
    Block, Linktype, PcapBlockOwned, PcapError, create_reader, traits::PcapNGPacketBlock as _,
};

/// Longest block of a file, in bytes. Packets are shorter than 256 KiB, the longest that tcpdump captures.
const MAX_BLOCK_LEN: usize = 1024 * 1024;

/// Most interfaces of a section.
const MAX_INTERFACES: usize = 1024;

/// A packet as it was captured.
pub(super) struct Captured<'a> {
    pub(super) link: Linktype,
    pub(super) data: &'a [u8],
    /// In seconds since 1970, if the file tells.
    pub(super) time: Option<String>,
}

/// How a file ended.
pub(super) enum End {
    Whole,
    /// Inside a packet.
    Cut,
}

pub(super) enum ReadError {
    Capture(String),
    /// What the packets were for has failed.
    Print(io::Error),
}

/// Hands each packet on.
pub(super) fn packets(
    file: Box<dyn Read + Send>,
    mut each: impl FnMut(Captured<'_>) -> io::Result<()>,
) -> Result<End, ReadError> {
    let mut reader = create_reader(MAX_BLOCK_LEN, Filling(file)).map_err(reason)?;
    let mut links = Links::default();
    loop {
        match reader.next() {
            Ok((len, block)) => {
                if let Some(captured) = links.packet(&block)? {
                    each(captured).map_err(ReadError::Print)?;
                }
                reader.consume(len);
            }
            Err(PcapError::Eof) => return Ok(End::Whole),
            Err(PcapError::UnexpectedEof) => return Ok(End::Cut),
            Err(PcapError::Incomplete(_)) => reader.refill().map_err(reason)?,
            Err(error) => return Err(reason(error)),
        }
    }
}

/// Fills what is to be read into, unless the file ends: the kind of a file is told by what the first read returns.
struct Filling(Box<dyn Read + Send>);

impl Read for Filling {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut len = 0;
        while let Some(room) = buf.get_mut(len..).filter(|room| !room.is_empty()) {
            match self.0.read(room) {
                Ok(0) => break,
                Ok(more) => len += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(len)
    }
}

fn reason<I: std::fmt::Debug>(error: PcapError<I>) -> ReadError {
    ReadError::Capture(match error {
        PcapError::BufferTooSmall => format!("a block is longer than {MAX_BLOCK_LEN} bytes"),
        PcapError::ReadError => "reading failed".to_owned(),
        PcapError::HeaderNotRecognized => "neither pcap nor pcapng".to_owned(),
        // The parser's own words come with all of its input.
        PcapError::NomError(_, kind) | PcapError::OwnedNomError(_, kind) => {
            format!("malformed block ({kind:?})")
        }
        other => other.to_string(),
    })
}

/// What the file tells about where its packets were captured.
#[derive(Default)]
struct Links {
    interfaces: Vec<Interface>,
    has_nanoseconds: bool,
}

struct Interface {
    link: Linktype,
    /// Units of time in a second.
    resolution: u64,
    /// Seconds to add.
    offset: i64,
}

impl Links {
    fn packet<'a>(
        &mut self,
        block: &'a PcapBlockOwned<'_>,
    ) -> Result<Option<Captured<'a>>, ReadError> {
        match block {
            PcapBlockOwned::LegacyHeader(header) => {
                self.has_nanoseconds = header.is_nanosecond_precision();
                self.interfaces = vec![Interface {
                    link: header.network,
                    resolution: if self.has_nanoseconds { NANOS } else { MICROS },
                    offset: 0,
                }];
            }
            PcapBlockOwned::Legacy(block) => {
                let interface = self.interface(0)?;
                let (secs, part) = (block.ts_sec, block.ts_usec);
                return Ok(Some(Captured {
                    link: interface.link,
                    data: block.data,
                    time: time(secs.into(), part.into(), interface.resolution),
                }));
            }
            PcapBlockOwned::NG(Block::SectionHeader(_)) => self.interfaces.clear(),
            PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
                if self.interfaces.len() >= MAX_INTERFACES {
                    let reason = format!("more than {MAX_INTERFACES} interfaces");
                    return Err(ReadError::Capture(reason));
                }
                self.interfaces.push(Interface {
                    link: interface.linktype,
                    resolution: interface.ts_resolution().unwrap_or(MICROS),
                    offset: interface.ts_offset(),
                });
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(block)) => {
                let interface = self.interface(block.if_id)?;
                let units = u64::from(block.ts_high) << 32 | u64::from(block.ts_low);
                let resolution = interface.resolution.max(1);
                let secs = i64::try_from(units / resolution).unwrap_or(i64::MAX);
                let secs = secs.saturating_add(interface.offset);
                return Ok(Some(Captured {
                    link: interface.link,
                    data: block.packet_data(),
                    time: time(secs, units % resolution, resolution),
                }));
            }
            PcapBlockOwned::NG(Block::SimplePacket(block)) => {
                return Ok(Some(Captured {
                    link: self.interface(0)?.link,
                    data: block.packet_data(),
                    time: None,
                }));
            }
            PcapBlockOwned::NG(_) => {}
        }
        Ok(None)
    }

    fn interface(&self, id: u32) -> Result<&Interface, ReadError> {
        let index = usize::try_from(id).ok();
        let interface = index.and_then(|index| self.interfaces.get(index));
        interface.ok_or_else(|| ReadError::Capture(format!("no interface {id}")))
    }
}

const MICROS: u64 = 1_000_000;
const NANOS: u64 = 1_000_000_000;

/// Seconds with nine digits behind the point.
fn time(secs: i64, part: u64, resolution: u64) -> Option<String> {
    let nanos = u128::from(part) * u128::from(NANOS) / u128::from(resolution.max(1));
    Some(format!("{secs}.{nanos:09}"))
}
