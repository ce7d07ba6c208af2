//! `shiome decode`: what bytes of the wire say.

use std::{env, io, path::PathBuf};

use bytes::Bytes;
use clap::ValueEnum;
use shiome_gossip::compact;
use thiserror::Error;

use crate::{cookie, error::Error};

mod capture;
mod field;
mod frames;
mod gossip;
mod input;
mod output;
mod protobuf;
mod schema;
mod text;

use frames::Frames;
use gossip::GossipKey;
use input::Input;
use output::Output;

/// Explain frames of a connection, or a datagram of gossip, field by field
///
/// Tells for each field where it stands (in bytes from the start of the stream or datagram), its own bytes, its number
/// and name, and what it says. Fields that are shiome's own are marked, fields that nobody knows are shown with number
/// and wire type. Of what is malformed, it tells what is wrong at which byte, and goes on where that is possible.
///
/// Bytes are a stream of frames or one datagram; which of them, the first byte tells: 0 is the length of a frame, 1 to 6
/// a datagram in the common form, 0x40 to 0x7f one in the compact form, and 0x80 an encrypted one, of which the message can
/// be read with the cookie only.
///
/// In a capture (pcap or pcapng), TCP connections are put together and UDP datagrams taken as they are. Bytes that were
/// not captured are told as a gap; what comes after it is read from where a whole frame starts, as far as that can be
/// told. What is encrypted by TLS, and what is no traffic of shiome at all, is told once and left out.
///
/// With --json each frame, datagram and note is a JSON object on a line of its own.
///
/// The exit code is 3 when something was malformed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The bytes, in hex. White space, commas, colons and 0x do not count. Without it and without --file, hex is read
    /// from standard input.
    #[arg(value_name = "HEX", conflicts_with = "file")]
    hex: Vec<String>,

    /// A file of the bytes themselves, or a capture (pcap, pcapng). - is standard input.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// What the bytes are. Default: what the first one says.
    #[arg(long = "as", value_name = "FORMAT")]
    format: Option<Format>,

    /// Of a capture, take only what goes from or to this port. Can be given several times.
    #[arg(
        long = "port",
        value_name = "PORT",
        requires = "file",
        conflicts_with = "hex"
    )]
    ports: Vec<u16>,

    /// File with the secret of the cluster, to open encrypted datagrams. Default: the environment variable SHIOME_COOKIE, if
    /// there is one.
    #[arg(long, value_name = "FILE")]
    cookie_file: Option<PathBuf>,

    /// Name of the cluster, as its nodes are told by --gossip-cluster.
    #[arg(long, value_name = "NAME", default_value = "shiome")]
    gossip_cluster: String,

    /// Print for programs.
    #[arg(long)]
    json: bool,
}

/// What bytes can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Frames, one after the other, as on a connection.
    Frame,
    /// One datagram, in the common form or encrypted.
    Gossip,
    /// One datagram, in the compact form.
    GossipCompact,
}

impl Format {
    /// What bytes that start like these are.
    fn of(bytes: &[u8]) -> Option<Self> {
        match bytes.first()? {
            0 => Some(Self::Frame),
            1..=6 | 0x80 => Some(Self::Gossip),
            _ if compact::is_compact(bytes) => Some(Self::GossipCompact),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Frame => "frame",
            Self::Gossip => "gossip",
            Self::GossipCompact => "gossip-compact",
        }
    }
}

/// Bytes cannot be explained, or are not what they should be.
#[derive(Debug, Error)]
pub(crate) enum DecodeError {
    #[error("cannot read `{}`", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot read `{}`: {reason}", .path.display())]
    Capture { path: PathBuf, reason: String },
    #[error("more than {0} bytes, of which none is that of a capture")]
    TooLong(u64),
    #[error("not hex at character {position}")]
    Hex { position: usize },
    #[error("the last byte has one hex digit")]
    OddHex,
    #[error("there is nothing to decode")]
    Empty,
    #[error(
        "byte 0 is {0:#04x}, with which neither a frame starts (0) nor a datagram of gossip (1 to 6, 0x40 to 0x7f, 0x80); \
         --as says what it is"
    )]
    Unknown(u8),
    #[error("{malformed} of {told} malformed")]
    Malformed { malformed: u64, told: u64 },
}

impl DecodeError {
    /// Whether the command can only succeed when given differently.
    pub(crate) fn is_misuse(&self) -> bool {
        matches!(
            self,
            Self::Hex { .. } | Self::OddHex | Self::Empty | Self::Unknown(_)
        )
    }
}

/// Explains what was given.
pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let input = match &args.file {
        Some(path) => input::from_file(path)?,
        None if args.hex.is_empty() => input::from_stdin()?,
        None => input::from_arguments(&args.hex)?,
    };
    let key = args.key()?;
    let mut output = Output::stdout(args.json);
    let explained = match input {
        Input::Bytes(bytes) => {
            let format = format_of(&bytes, args.format)?;
            explain(bytes, format, key.as_ref(), &mut output).map_err(Error::Print)
        }
        Input::Capture(file, path) => capture::explain(file, &path, args, key, &mut output),
    };
    match explained.and_then(|()| output.flush().map_err(Error::Print)) {
        // Whoever closed standard output has seen enough.
        Err(Error::Print(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(error),
        Ok(()) if output.malformed > 0 => Err(DecodeError::Malformed {
            malformed: output.malformed,
            told: output.told,
        }
        .into()),
        Ok(()) => Ok(()),
    }
}

impl Args {
    /// What opens encrypted datagrams, if the cookie is known.
    fn key(&self) -> Result<Option<GossipKey>, Error> {
        if self.cookie_file.is_none() && env::var_os(cookie::VARIABLE).is_none() {
            return Ok(None);
        }
        let cookie = cookie::read(self.cookie_file.as_deref())?;
        Ok(Some(GossipKey::new(&cookie, &self.gossip_cluster)))
    }
}

fn format_of(bytes: &[u8], told: Option<Format>) -> Result<Format, DecodeError> {
    let first = *bytes.first().ok_or(DecodeError::Empty)?;
    told.or_else(|| Format::of(bytes))
        .ok_or(DecodeError::Unknown(first))
}

fn explain<W: io::Write>(
    bytes: Bytes,
    format: Format,
    key: Option<&GossipKey>,
    output: &mut Output<W>,
) -> io::Result<()> {
    if format != Format::Frame {
        return output.explained(&gossip::explain(bytes, format, key), None);
    }
    let mut frames = Frames::at(0);
    frames.extend(&bytes);
    while let Some(frame) = frames.next_frame() {
        output.explained(&frame, None)?;
    }
    match frames.finish() {
        Some(rest) => output.explained(&rest, None),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
