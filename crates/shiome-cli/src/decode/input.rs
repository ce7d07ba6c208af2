//! Where the bytes come from.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use bytes::Bytes;

use super::DecodeError;

/// Most bytes that are read from what is no capture, of which all are held in memory.
const MAX_INPUT_LEN: u64 = 256 * 1024 * 1024;

/// What to explain.
pub(super) enum Input {
    /// A stream of frames, or one datagram.
    Bytes(Bytes),
    /// A pcap or pcapng file.
    Capture(Box<dyn Read + Send>, PathBuf),
}

/// Bytes of the arguments, which are pieces of hex.
pub(super) fn from_arguments(pieces: &[String]) -> Result<Input, DecodeError> {
    parse(&pieces.join(" ")).map(Input::Bytes)
}

/// Bytes of standard input, in hex.
pub(super) fn from_stdin() -> Result<Input, DecodeError> {
    let bytes = read_all(io::stdin().lock(), Path::new("-"))?;
    let text = String::from_utf8(bytes).map_err(|error| DecodeError::Hex {
        position: error.utf8_error().valid_up_to() + 1,
    })?;
    parse(&text).map(Input::Bytes)
}

/// Bytes of a file as they are, or a capture if it starts like one; `-` is standard input.
pub(super) fn from_file(path: &Path) -> Result<Input, DecodeError> {
    let failed = |source| DecodeError::Read {
        path: path.to_owned(),
        source,
    };
    let mut file: Box<dyn Read + Send> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path).map_err(failed)?)
    };
    let mut head = Vec::new();
    file.by_ref()
        .take(MAGIC_LEN)
        .read_to_end(&mut head)
        .map_err(failed)?;
    let is_capture = is_capture(&head);
    let whole = io::Cursor::new(head).chain(file);
    if is_capture {
        return Ok(Input::Capture(Box::new(whole), path.to_owned()));
    }
    read_all(whole, path).map(|bytes| Input::Bytes(bytes.into()))
}

/// Length of the number that captures start with.
const MAGIC_LEN: u64 = 4;

/// Whether a file of these first bytes is a capture: pcap with microseconds or nanoseconds, of either byte order, or pcapng.
///
/// No stream of frames and no datagram of gossip starts so.
fn is_capture(head: &[u8]) -> bool {
    matches!(
        head,
        [0xa1, 0xb2, 0xc3, 0xd4]
            | [0xd4, 0xc3, 0xb2, 0xa1]
            | [0xa1, 0xb2, 0x3c, 0x4d]
            | [0x4d, 0x3c, 0xb2, 0xa1]
            | [0x0a, 0x0d, 0x0d, 0x0a]
    )
}

fn read_all(from: impl Read, path: &Path) -> Result<Vec<u8>, DecodeError> {
    let mut bytes = Vec::new();
    let read = from.take(MAX_INPUT_LEN + 1).read_to_end(&mut bytes);
    read.map_err(|source| DecodeError::Read {
        path: path.to_owned(),
        source,
    })?;
    match bytes.len() as u64 {
        ..=MAX_INPUT_LEN => Ok(bytes),
        _ => Err(DecodeError::TooLong(MAX_INPUT_LEN)),
    }
}

/// Reads hex digits, between which may stand white space, commas and colons, and `0x` in front of pieces.
fn parse(text: &str) -> Result<Bytes, DecodeError> {
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let mut half = None;
    let mut digits = text.chars().zip(1..).peekable();
    while let Some((digit, position)) = digits.next() {
        if digit == '0' && half.is_none() && digits.peek().is_some_and(|(next, _)| *next == 'x') {
            digits.next();
            continue;
        }
        if half.is_none() && (digit.is_whitespace() || matches!(digit, ',' | ':')) {
            continue;
        }
        let Some(value) = digit.to_digit(16) else {
            return Err(DecodeError::Hex { position });
        };
        half = match half {
            None => Some(value << 4),
            Some(high) => {
                // Two digits are a byte.
                bytes.push((high | value) as u8);
                None
            }
        };
    }
    match half {
        Some(_) => Err(DecodeError::OddHex),
        None => Ok(bytes.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_as_people_write_it() {
        for text in [
            "00a1ff",
            "00 A1 FF",
            "00:a1:ff",
            "0x00, 0xa1, 0xff",
            "0x00a1ff\n",
            "00\n a1ff\r\n",
        ] {
            assert_eq!(&parse(text).unwrap()[..], [0, 0xa1, 0xff], "{text:?}");
        }
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn what_is_no_hex_is_told_with_its_place() {
        for (text, place) in [("0g", 2), ("00 a1 z", 7), ("0 0", 2), ("é", 1)] {
            let error = parse(text).unwrap_err();
            assert!(
                matches!(error, DecodeError::Hex { position } if position == place),
                "{text}: {error}"
            );
        }
        assert!(matches!(parse("00a"), Err(DecodeError::OddHex)));
    }
}
