//! Who may open a WebSocket, and what client and server say to each other then (RFC 6455 §4).

use std::{fmt, io, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{
        CONNECTION, CONTENT_LENGTH, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
        SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
    },
};
use sha1_smol::Sha1;
use thiserror::Error;

use super::{MAX_HEAD_LEN, SUBPROTOCOL};

/// What a server adds to a client's key.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Bytes of a client's key.
const KEY_LEN: usize = 16;

/// A WebSocket was not opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum UpgradeError {
    /// The peer's request or response is longer than [`MAX_HEAD_LEN`].
    #[error("HTTP head of more than {MAX_HEAD_LEN} bytes")]
    HeadTooLong,
    /// The peer's request or response is not HTTP.
    #[error("malformed HTTP")]
    Malformed,
    /// It is HTTP, but opens no WebSocket: this header field is missing or says something else. `None` for the method or
    /// version.
    #[error("not a WebSocket upgrade: {header:?}")]
    NotAnUpgrade {
        /// The header field.
        header: Option<HeaderName>,
    },
    /// The client asks for another path.
    #[error("no such path")]
    Path,
    /// The client is a page of a site that [may not](Origins) come here.
    #[error("refused for its origin")]
    Origin,
    /// The peer does not speak the subprotocol, by default [`SUBPROTOCOL`].
    #[error("peer does not speak the subprotocol")]
    Subprotocol,
    /// The server says no, with this HTTP status.
    #[error("refused with status {status}")]
    Refused {
        /// The status.
        status: StatusCode,
    },
    /// The connection was lost.
    #[error("connection lost")]
    Lost(#[from] io::Error),
}

impl UpgradeError {
    /// How a server tells the client.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::HeadTooLong => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::NotAnUpgrade {
                header: Some(header),
            } if header == SEC_WEBSOCKET_VERSION || header == UPGRADE => {
                StatusCode::UPGRADE_REQUIRED
            }
            Self::Path => StatusCode::NOT_FOUND,
            Self::Origin => StatusCode::FORBIDDEN,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The response with [`status`](Self::status), to be sent without a body. The connection is closed after it.
    pub fn response(&self) -> Response<()> {
        let mut response = Response::new(());
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        if self.status() == StatusCode::UPGRADE_REQUIRED {
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        response
    }
}

/// Web sites whose pages may open links. Default: none. Programs that are no browsers name no origin, and are not asked.
///
/// A browser lets any page open a WebSocket to any host, with the user's network and address: what stands in the way is
/// the cookie of the cluster, and this.
#[derive(Clone)]
pub struct Origins(Arc<dyn Fn(&str) -> bool + Send + Sync>);

impl Origins {
    /// No page.
    pub fn none() -> Self {
        Self::when(|_| false)
    }

    /// Pages of these sites, such as `https://example.org`.
    pub fn only<S: Into<String>>(origins: impl IntoIterator<Item = S>) -> Self {
        let origins: Vec<String> = origins.into_iter().map(Into::into).collect();
        Self::when(move |origin| origins.iter().any(|known| known == origin))
    }

    /// Pages of the sites for which `allowed` holds.
    pub fn when(allowed: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(allowed))
    }
}

impl Default for Origins {
    fn default() -> Self {
        Self::none()
    }
}

impl fmt::Debug for Origins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Origins").finish_non_exhaustive()
    }
}

/// Where a server lets WebSockets be opened.
#[derive(Debug, Clone)]
pub struct Endpoint {
    path: Option<String>,
    origins: Origins,
    subprotocol: &'static str,
}

impl Default for Endpoint {
    fn default() -> Self {
        Self::new(Origins::default())
    }
}

impl Endpoint {
    /// At any path, for a web server that has looked at it, and for the pages of these sites.
    pub fn new(origins: Origins) -> Self {
        Self {
            path: None,
            origins,
            subprotocol: SUBPROTOCOL,
        }
    }

    /// For links of another subprotocol, which is a token of HTTP.
    pub fn speaking(self, subprotocol: &'static str) -> Self {
        Self {
            subprotocol,
            ..self
        }
    }

    /// At this path only, query and all.
    pub fn at(self, path: impl Into<String>) -> Self {
        Self {
            path: Some(path.into()),
            ..self
        }
    }

    /// The response that opens the WebSocket.
    ///
    /// # Errors
    ///
    /// [`UpgradeError`], whose [response](UpgradeError::response) tells the client.
    pub fn answer<B>(&self, request: &Request<B>) -> Result<Response<()>, UpgradeError> {
        if request.method() != Method::GET || request.version() != Version::HTTP_11 {
            return Err(UpgradeError::NotAnUpgrade { header: None });
        }
        let path = request.uri().path_and_query().map(|path| path.as_str());
        if self.path.is_some() && self.path.as_deref() != path {
            return Err(UpgradeError::Path);
        }
        let headers = request.headers();
        check_upgrade(headers)?;
        if one(headers, &SEC_WEBSOCKET_VERSION) != Some("13") {
            return Err(not_an_upgrade(SEC_WEBSOCKET_VERSION));
        }
        let key = one(headers, &SEC_WEBSOCKET_KEY).filter(|key| is_key(key));
        let key = key.ok_or_else(|| not_an_upgrade(SEC_WEBSOCKET_KEY))?;
        self.check_origin(headers)?;
        if !has_token(headers, &SEC_WEBSOCKET_PROTOCOL, self.subprotocol) {
            return Err(UpgradeError::Subprotocol);
        }
        Ok(switching(key, self.subprotocol))
    }

    fn check_origin(&self, headers: &HeaderMap) -> Result<(), UpgradeError> {
        if !headers.contains_key(ORIGIN) {
            return Ok(());
        }
        match one(headers, &ORIGIN) {
            Some(origin) if (self.origins.0)(origin) => Ok(()),
            _ => Err(UpgradeError::Origin),
        }
    }
}

fn not_an_upgrade(header: HeaderName) -> UpgradeError {
    UpgradeError::NotAnUpgrade {
        header: Some(header),
    }
}

fn switching(key: &str, subprotocol: &'static str) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let accept = HeaderValue::try_from(accept_of(key)).expect("base64 is visible ASCII");
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    headers.insert(
        SEC_WEBSOCKET_PROTOCOL,
        HeaderValue::from_static(subprotocol),
    );
    response
}

/// Whether the server has opened what the client with this key asked for.
pub(super) fn check_response<B>(
    response: &Response<B>,
    subprotocol: &str,
    key: &str,
) -> Result<(), UpgradeError> {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let status = response.status();
        return Err(UpgradeError::Refused { status });
    }
    let headers = response.headers();
    check_upgrade(headers)?;
    if one(headers, &SEC_WEBSOCKET_ACCEPT) != Some(&accept_of(key)) {
        return Err(not_an_upgrade(SEC_WEBSOCKET_ACCEPT));
    }
    // None was offered.
    if headers.contains_key(SEC_WEBSOCKET_EXTENSIONS) {
        return Err(not_an_upgrade(SEC_WEBSOCKET_EXTENSIONS));
    }
    match one(headers, &SEC_WEBSOCKET_PROTOCOL) {
        Some(spoken) if spoken == subprotocol => Ok(()),
        _ => Err(UpgradeError::Subprotocol),
    }
}

fn check_upgrade(headers: &HeaderMap) -> Result<(), UpgradeError> {
    if !has_token(headers, &UPGRADE, "websocket") {
        return Err(not_an_upgrade(UPGRADE));
    }
    if !has_token(headers, &CONNECTION, "upgrade") {
        return Err(not_an_upgrade(CONNECTION));
    }
    Ok(())
}

/// The value of a header field that must be there once.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    match values.next() {
        None => value.to_str().ok(),
        Some(_) => None,
    }
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().eq_ignore_ascii_case(token))
}

/// A client's key.
pub(super) fn key() -> String {
    STANDARD.encode(rand::random::<[u8; KEY_LEN]>())
}

fn is_key(key: &str) -> bool {
    STANDARD.decode(key).is_ok_and(|key| key.len() == KEY_LEN)
}

/// How a server shows that it has understood.
fn accept_of(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(GUID.as_bytes());
    STANDARD.encode(hash.digest().bytes())
}

#[cfg(test)]
mod tests;
