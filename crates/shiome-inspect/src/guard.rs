//! Who may ask.

use std::{fmt, net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use subtle::ConstantTimeEq as _;
use thiserror::Error;

use crate::{
    api::Failure,
    refusals::{RefusalReason, Refusals},
};

/// Shortest token, in bytes: one of 128 random bits in hexadecimal is twice as long.
pub const MIN_TOKEN_LEN: usize = 16;

/// A secret that requests have to carry: `Authorization: Bearer TOKEN`.
#[derive(Clone)]
pub struct Token(Arc<str>);

/// A text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It is too short to be secret.
    #[error("shorter than {MIN_TOKEN_LEN} bytes")]
    Short,
    /// It cannot stand in a header.
    #[error("has characters other than printable ASCII, or spaces")]
    Characters,
}

impl Token {
    /// The token of this text.
    ///
    /// # Errors
    ///
    /// [`TokenError`].
    pub fn new(text: &str) -> Result<Self, TokenError> {
        if text.len() < MIN_TOKEN_LEN {
            return Err(TokenError::Short);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Characters);
        }
        Ok(Self(text.into()))
    }

    /// Whether this is its text. As long as both are of one length, what differs does not show in the time.
    pub fn is(&self, text: &str) -> bool {
        self.0.as_bytes().ct_eq(text.as_bytes()).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// Lets only those requests through that may be made.
///
/// 1. A request whose `Host` is neither an IP address, `localhost` nor one of the [names](Self::host) is refused: a page of
///    elsewhere has had a name of its own lead here (DNS rebinding).
/// 2. One with an `Origin` other than that host is refused: a page of elsewhere makes it.
/// 3. Where there is a [token](Self::token), one without it is refused.
///
/// Refused requests get 403 or 401, and count.
#[derive(Debug, Clone)]
pub struct Guard {
    token: Option<Token>,
    hosts: Vec<String>,
    /// Whether names of hosts mean nothing, as on a Unix socket.
    any_host: bool,
    refusals: Refusals,
}

impl Guard {
    /// Lets all in that no foreign web page makes. What it refuses is counted there.
    pub fn new(refusals: Refusals) -> Self {
        Self {
            token: None,
            hosts: Vec::new(),
            any_host: false,
            refusals,
        }
    }

    /// For a Unix socket: no web page can open one, so a request that comes from one is refused in any case.
    pub fn local(refusals: Refusals) -> Self {
        Self {
            any_host: true,
            ..Self::new(refusals)
        }
    }

    /// Demands this token.
    #[must_use]
    pub fn token(self, token: Token) -> Self {
        Self {
            token: Some(token),
            ..self
        }
    }

    /// The server goes by this name, too.
    #[must_use]
    pub fn host(mut self, name: impl Into<String>) -> Self {
        self.hosts.push(name.into().to_ascii_lowercase());
        self
    }

    /// The guard of what can be read without the token, and whether there is a token.
    pub(crate) fn for_reading(&self) -> (Self, bool) {
        let reading = Self {
            token: None,
            ..self.clone()
        };
        (reading, self.token.is_some())
    }

    /// Puts the guard before all routes that the router has by now.
    pub fn protect(self, router: axum::Router) -> axum::Router {
        router.layer(axum::middleware::from_fn_with_state(Arc::new(self), check))
    }

    fn verdict(&self, headers: &HeaderMap, target: Option<&Authority>) -> Result<(), Refused> {
        let host = target.map(|authority| authority.as_str().to_owned());
        let host = host.or_else(|| text(headers, header::HOST));
        let origin = headers.contains_key(header::ORIGIN);
        if self.any_host {
            if origin {
                return Err(Refused::Origin);
            }
        } else {
            let host = host.ok_or(Refused::Host)?;
            if !self.goes_by(&host) {
                return Err(Refused::Host);
            }
            if origin && !is_of(text(headers, header::ORIGIN).as_deref(), &host) {
                return Err(Refused::Origin);
            }
        }
        let Some(token) = &self.token else {
            return Ok(());
        };
        let given = text(headers, header::AUTHORIZATION);
        let given = given.as_deref().and_then(bearer);
        if given.is_some_and(|given| token.is(given)) {
            Ok(())
        } else {
            Err(Refused::Token)
        }
    }

    fn goes_by(&self, host: &str) -> bool {
        let Ok(authority) = host.parse::<Authority>() else {
            return false;
        };
        let name = authority.host().to_ascii_lowercase();
        let bare = name
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'));
        let is_ip = bare.unwrap_or(&name).parse::<IpAddr>().is_ok();
        is_ip || name == "localhost" || self.hosts.contains(&name)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    Host,
    Origin,
    Token,
}

async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let target = request.uri().authority();
    match guard.verdict(request.headers(), target) {
        Ok(()) => next.run(request).await,
        Err(refused) => guard.refuse(refused),
    }
}

impl Guard {
    fn refuse(&self, refused: Refused) -> Response {
        let (reason, status, why) = match refused {
            Refused::Host => (
                RefusalReason::ForeignHost,
                StatusCode::FORBIDDEN,
                "this server does not go by that host",
            ),
            Refused::Origin => (
                RefusalReason::ForeignOrigin,
                StatusCode::FORBIDDEN,
                "requests of foreign pages are refused",
            ),
            Refused::Token => (
                RefusalReason::Unauthorized,
                StatusCode::UNAUTHORIZED,
                "the token is missing or wrong",
            ),
        };
        self.refusals.count(reason);
        let failure = Failure::new(status, why);
        match refused {
            Refused::Token => ([(header::WWW_AUTHENTICATE, "Bearer")], failure).into_response(),
            _ => failure.into_response(),
        }
    }
}

/// A header that is there once, and is text.
fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    value.to_str().ok().map(str::to_owned)
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whether an origin is that of pages of this host.
fn is_of(origin: Option<&str>, host: &str) -> bool {
    let at = origin.and_then(|origin| {
        origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"))
    });
    at.is_some_and(|at| at.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests;
