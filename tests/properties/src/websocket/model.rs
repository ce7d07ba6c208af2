//! WebSocket frames as the standard (RFC 6455 §5) has them, read all at once.

use std::str;

use shiome_transport::websocket::MAX_MESSAGE_LEN;

/// Who reads. Clients mask what they send, servers do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    Client,
    Server,
}

/// How what a peer says comes to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// An empty message: no more bytes come.
    Ended,
    /// A close with this code, or without one.
    Closed(Option<u16>),
    /// In the middle.
    Lost,
    Text,
    TooLong,
    /// What should be text is not.
    NotText,
    Protocol,
}

impl End {
    /// Whether a reader gets all bytes without an error.
    pub(super) fn is_orderly(self) -> bool {
        matches!(self, Self::Ended | Self::Closed(None | Some(1000 | 1001)))
    }

    /// The code that the peer is told, if it is told anything.
    pub(super) fn told(self) -> Option<Option<u16>> {
        match self {
            Self::Ended | Self::Lost => None,
            Self::Closed(code) => Some(code),
            Self::Text => Some(Some(1003)),
            Self::TooLong => Some(Some(1009)),
            Self::NotText => Some(Some(1007)),
            Self::Protocol => Some(Some(1002)),
        }
    }
}

/// What a peer has said.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// Of binary messages.
    pub(super) bytes: Vec<u8>,
    pub(super) pings: Vec<Vec<u8>>,
    pub(super) pongs: Vec<Vec<u8>>,
    /// Length of the longest frame with bytes, in bytes.
    pub(super) longest: usize,
    pub(super) end: End,
}

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Reads frames up to the end.
pub(super) fn read(stream: &[u8], reader: Reader) -> Said {
    let mut model = Model {
        rest: stream,
        reader,
        message: None,
        said: Said {
            bytes: Vec::new(),
            pings: Vec::new(),
            pongs: Vec::new(),
            longest: 0,
            end: End::Lost,
        },
    };
    let end = loop {
        if let Err(end) = model.frame() {
            break end;
        }
    };
    Said { end, ..model.said }
}

struct Model<'a> {
    rest: &'a [u8],
    reader: Reader,
    /// Kind and content of a message that has begun.
    message: Option<(u8, Vec<u8>)>,
    said: Said,
}

impl<'a> Model<'a> {
    fn frame(&mut self) -> Result<(), End> {
        let [first, second] = *self.take_array()?;
        let (is_final, kind) = (first & 0x80 != 0, first & 0x0f);
        let is_control = kind >= CLOSE;
        if first & 0x70 != 0 || !matches!(kind, 0..=2 | 8..=10) {
            return Err(End::Protocol);
        }
        if is_control && !is_final || !is_control && (kind == 0) != self.message.is_some() {
            return Err(End::Protocol);
        }
        let is_masked = second & 0x80 != 0;
        if is_masked != (self.reader == Reader::Server) {
            return Err(End::Protocol);
        }
        let len = self.len(kind, second & 0x7f)?;
        let mask = if is_masked {
            *self.take_array()?
        } else {
            [0; 4]
        };
        let is_whole = len <= self.rest.len();
        let payload = self.take(len.min(self.rest.len()));
        let payload: Vec<u8> = std::iter::zip(payload, mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask)
            .collect();
        match kind {
            _ if is_control && !is_whole => Err(End::Lost),
            CLOSE => Err(close(&payload)),
            PING => {
                self.said.pings.push(payload);
                Ok(())
            }
            PONG => {
                self.said.pongs.push(payload);
                Ok(())
            }
            _ => self.data(kind, payload, is_final, is_whole),
        }
    }

    /// The length of the payload, in as few bytes as it can be written.
    fn len(&mut self, kind: u8, short: u8) -> Result<usize, End> {
        let len = match short {
            1 if kind == CLOSE => return Err(End::Protocol),
            126.. if kind >= CLOSE => return Err(End::Protocol),
            126 => u64::from(u16::from_be_bytes(*self.take_array()?)),
            127 => u64::from_be_bytes(*self.take_array()?),
            short => short.into(),
        };
        match (short, len) {
            (126, ..126) | (127, ..0x1_0000) => Err(End::Protocol),
            (_, len) if len > MAX_MESSAGE_LEN as u64 => Err(End::TooLong),
            (_, len) => Ok(len as usize),
        }
    }

    fn data(
        &mut self,
        kind: u8,
        payload: Vec<u8>,
        is_final: bool,
        is_whole: bool,
    ) -> Result<(), End> {
        self.said.longest = self.said.longest.max(payload.len());
        let (kind, mut content) = self.message.take().unwrap_or((kind, Vec::new()));
        content.extend(payload);
        if kind == TEXT {
            // What is no text is not waited for.
            let may_go_on = !is_final || !is_whole;
            str::from_utf8(&content).or_else(|error| match error.error_len() {
                None if may_go_on => Ok(""),
                _ => Err(End::NotText),
            })?;
        }
        match (is_whole, is_final, kind) {
            (false, _, _) => Err(End::Lost),
            (_, _, _) if content.len() > MAX_MESSAGE_LEN => Err(End::TooLong),
            (_, false, _) => {
                self.message = Some((kind, content));
                Ok(())
            }
            (_, _, BINARY) if content.is_empty() => Err(End::Ended),
            (_, _, BINARY) => {
                self.said.bytes.extend(content);
                Ok(())
            }
            _ => Err(End::Text),
        }
    }

    fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(len);
        self.rest = rest;
        taken
    }

    fn take_array<const N: usize>(&mut self) -> Result<&'a [u8; N], End> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(End::Lost)?;
        self.rest = rest;
        Ok(taken)
    }
}

fn close(payload: &[u8]) -> End {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return End::Closed(None);
    };
    let code = u16::from_be_bytes(*code);
    match code {
        1000..=1003 | 1007..=1014 | 3000..=4999 => match str::from_utf8(reason) {
            Ok(_) => End::Closed(Some(code)),
            Err(_) => End::NotText,
        },
        _ => End::Protocol,
    }
}
