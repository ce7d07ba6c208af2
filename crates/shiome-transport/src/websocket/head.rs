//! The HTTP/1.1 messages with which a WebSocket is opened.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Version};
use httparse::{EMPTY_HEADER, Status};
use tokio::io::AsyncReadExt;

use super::{MAX_HEAD_LEN, endpoint::UpgradeError};
use crate::link::BoxRead;

/// Header fields of a request or response. Proxies add some of their own.
const MAX_HEADERS: usize = 64;

/// What ends a head.
const END: &[u8] = b"\r\n\r\n";

/// Bytes that are read at a time.
const CHUNK_LEN: usize = 1024;

/// The head of an HTTP message, complete and not parsed.
pub(super) struct Head {
    bytes: Bytes,
    /// What came after it.
    pub(super) rest: Bytes,
}

impl Head {
    pub(super) async fn read(reader: &mut BoxRead) -> Result<Self, UpgradeError> {
        let mut read = BytesMut::new();
        loop {
            // The end may have begun in what was there before.
            let searched = read.len().saturating_sub(END.len() - 1);
            read.reserve(CHUNK_LEN);
            if reader.read_buf(&mut read).await? == 0 {
                return Err(UpgradeError::Lost(std::io::ErrorKind::UnexpectedEof.into()));
            }
            let end = read[searched..].windows(END.len()).position(|w| w == END);
            let len = end.map_or(read.len(), |at| searched + at + END.len());
            if len > MAX_HEAD_LEN {
                return Err(UpgradeError::HeadTooLong);
            }
            if end.is_some() {
                let bytes = read.split_to(len).freeze();
                let rest = read.freeze();
                return Ok(Self { bytes, rest });
            }
        }
    }

    pub(super) fn request(&self) -> Result<Request<()>, UpgradeError> {
        let mut headers = [EMPTY_HEADER; MAX_HEADERS];
        let mut parsed = httparse::Request::new(&mut headers);
        self.is_all_of(parsed.parse(&self.bytes))?;
        let mut request = Request::builder()
            .method(parsed.method.unwrap_or_default())
            .uri(parsed.path.unwrap_or_default())
            .version(version(parsed.version))
            .body(())
            .map_err(|_| UpgradeError::Malformed)?;
        *request.headers_mut() = fields(parsed.headers)?;
        Ok(request)
    }

    pub(super) fn response(&self) -> Result<Response<()>, UpgradeError> {
        let mut headers = [EMPTY_HEADER; MAX_HEADERS];
        let mut parsed = httparse::Response::new(&mut headers);
        self.is_all_of(parsed.parse(&self.bytes))?;
        let mut response = Response::builder()
            .status(parsed.code.unwrap_or_default())
            .version(version(parsed.version))
            .body(())
            .map_err(|_| UpgradeError::Malformed)?;
        *response.headers_mut() = fields(parsed.headers)?;
        Ok(response)
    }

    /// Lines may end without a carriage return, and so may what is taken for the head: then something else follows before
    /// [`END`], and what stands between the two has no meaning.
    fn is_all_of(
        &self,
        parsed: Result<Status<usize>, httparse::Error>,
    ) -> Result<(), UpgradeError> {
        match parsed {
            Ok(Status::Complete(len)) if len == self.bytes.len() => Ok(()),
            _ => Err(UpgradeError::Malformed),
        }
    }
}

fn version(minor: Option<u8>) -> Version {
    match minor {
        Some(1) => Version::HTTP_11,
        _ => Version::HTTP_10,
    }
}

fn fields(parsed: &[httparse::Header<'_>]) -> Result<HeaderMap, UpgradeError> {
    let mut headers = HeaderMap::new();
    for field in parsed {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        let value = HeaderValue::from_bytes(field.value);
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(UpgradeError::Malformed);
        };
        headers.append(name, value);
    }
    Ok(headers)
}

/// A client's request.
pub(super) fn request(authority: &str, path: &str, subprotocol: &str, key: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {subprotocol}\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    )
}

/// A server's response, without a body.
pub(super) fn response(response: &Response<()>) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {}\r\n", response.status()).into_bytes();
    for (name, value) in response.headers() {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}
