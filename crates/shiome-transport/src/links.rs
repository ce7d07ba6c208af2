use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use tokio::time::timeout;

#[cfg(unix)]
use crate::unix;
use crate::{
    address::Address,
    connector::{BoxFuture, Connector},
    error::TransportError,
    link::{Link, Security},
    listener::{Accepted, Bind, Listener},
};

pub(crate) mod tcp;
#[cfg(test)]
mod tests;
pub(crate) mod tls;

/// Time for a dial, everything included, unless [`Links::with_dial_timeout`] says otherwise.
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(5);

/// Time for an accepted connection to become a link. Who dials gives up after [`DIAL_TIMEOUT`].
pub const ESTABLISH_TIMEOUT: Duration = Duration::from_secs(5);

/// What links a node has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Policy {
    /// All; `host:port` without a scheme is `tcp`.
    #[default]
    Any,
    /// Those that are encrypted or do not leave the host; `host:port` without a scheme is `tls`.
    Encrypted,
}

impl Policy {
    /// Whether a link that is protected so may be.
    pub fn permits(self, security: Security) -> bool {
        match self {
            Self::Any => true,
            Self::Encrypted => matches!(security, Security::Tls | Security::Local),
        }
    }

    fn default_scheme(self) -> &'static str {
        match self {
            Self::Any => "tcp",
            Self::Encrypted => "tls",
        }
    }
}

/// How the addresses of one scheme are dialled and listened on.
///
/// ```
/// use shiome_transport::{
///     Address, BoxFuture, Connector, Link, Links, Policy, Scheme, Security, TransportError,
/// };
///
/// /// `null:` has nobody at the other end.
/// struct Null;
///
/// impl Connector for Null {
///     fn dial<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, Result<Link, TransportError>> {
///         Box::pin(async move {
///             let stream = tokio::io::join(tokio::io::empty(), tokio::io::sink());
///             Ok(Link::from_stream(stream, address.rest(), "me", Security::Local))
///         })
///     }
/// }
///
/// let links = Links::new(Policy::Any)
///     .with_scheme("null", Scheme::new(Security::Local).with_connector(Null));
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// # let dialled = async {
/// let link = links.dial(&links.address("null:nobody")?).await?;
/// assert_eq!(link.peer, "nobody");
/// # Ok::<(), TransportError>(())
/// # };
/// # runtime.block_on(dialled).unwrap();
/// ```
#[derive(Clone)]
pub struct Scheme {
    pub(crate) security: Security,
    pub(crate) connector: Option<Arc<dyn Connector>>,
    pub(crate) bind: Option<Arc<dyn Bind>>,
    establish_timeout: Duration,
}

impl Scheme {
    /// A scheme whose links are all protected so.
    pub fn new(security: Security) -> Self {
        Self {
            security,
            connector: None,
            bind: None,
            establish_timeout: ESTABLISH_TIMEOUT,
        }
    }

    /// Dials with this.
    pub fn with_connector(self, connector: impl Connector + 'static) -> Self {
        Self {
            connector: Some(Arc::new(connector)),
            ..self
        }
    }

    /// Gives what is accepted so long to become a link: where the other end is known before, and links take long. Default:
    /// [`ESTABLISH_TIMEOUT`]. Until then it counts as a stranger.
    pub fn with_establish_timeout(self, establish_timeout: Duration) -> Self {
        Self {
            establish_timeout,
            ..self
        }
    }

    /// Listens with this.
    pub fn with_bind(self, bind: impl Bind + 'static) -> Self {
        Self {
            bind: Some(Arc::new(bind)),
            ..self
        }
    }
}

impl fmt::Debug for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheme")
            .field("security", &self.security)
            .field("dials", &self.connector.is_some())
            .field("listens", &self.bind.is_some())
            .finish()
    }
}

/// Dials and listens, all of a node's links under one policy.
///
/// What peers tell of other nodes is dialled here too: it leads nobody onto a link that the policy forbids.
#[derive(Debug, Clone)]
pub struct Links {
    schemes: BTreeMap<String, Scheme>,
    /// What `wss` runs on: `tls`, as it is spoken with web servers.
    #[cfg_attr(
        not(feature = "websocket"),
        expect(dead_code, reason = "nothing runs on it")
    )]
    web_tls: Option<Scheme>,
    /// Schemes that run on others.
    #[cfg(feature = "websocket")]
    web: crate::websocket::Web,
    policy: Policy,
    dial_timeout: Duration,
}

impl Links {
    /// Links of the schemes that need nothing: `tcp`, and `unix` where there is such a thing.
    pub fn new(policy: Policy) -> Self {
        let links = Self {
            schemes: BTreeMap::new(),
            web_tls: None,
            #[cfg(feature = "websocket")]
            web: crate::websocket::Web::default(),
            policy,
            dial_timeout: DIAL_TIMEOUT,
        };
        #[cfg(unix)]
        let links = links.with_scheme("unix", unix::scheme(unix::Users::default()));
        links.with_scheme("tcp", tcp::scheme())
    }

    /// Adds a scheme, or takes the place of the one of that name. Names are in lower case.
    ///
    /// What runs on `tcp`, as `ws` does, then runs on this `tcp`.
    pub fn with_scheme(mut self, name: impl Into<String>, scheme: Scheme) -> Self {
        let name = name.into();
        let is_below = name == "tcp";
        self.schemes.insert(name, scheme);
        if is_below { self.with_web() } else { self }
    }

    /// Dials and listens under another policy.
    pub fn with_policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    fn with_web_tls(self, scheme: Scheme) -> Self {
        let links = Self {
            web_tls: Some(scheme),
            ..self
        };
        links.with_web()
    }

    #[cfg(not(feature = "websocket"))]
    fn with_web(self) -> Self {
        self
    }

    /// Puts the schemes that run on others on these as they are now.
    #[cfg(feature = "websocket")]
    pub(crate) fn with_web(mut self) -> Self {
        for (name, scheme) in self.web.over(&self) {
            self.schemes.insert(name, scheme);
        }
        self
    }

    #[cfg(feature = "websocket")]
    pub(crate) fn web(&mut self) -> &mut crate::websocket::Web {
        &mut self.web
    }

    /// Takes so long for a dial, everything included. Default: [`DIAL_TIMEOUT`].
    pub fn with_dial_timeout(self, dial_timeout: Duration) -> Self {
        Self {
            dial_timeout,
            ..self
        }
    }

    /// How long a dial may take.
    pub fn dial_timeout(&self) -> Duration {
        self.dial_timeout
    }

    /// What links there may be.
    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// Reads an address; `host:port` without a scheme has the one that the policy says.
    ///
    /// # Errors
    ///
    /// [`TransportError::Address`]
    pub fn address(&self, text: &str) -> Result<Address, TransportError> {
        Ok(Address::parse_with(self.policy.default_scheme(), text)?)
    }

    /// Whether there is a scheme of this name.
    pub fn has_scheme(&self, name: &str) -> bool {
        self.schemes.contains_key(name)
    }

    /// Opens a link. Cancel-safe: dropped earlier, nothing stays open.
    ///
    /// With TLS 1.3 that a server refuses the client's certificate only shows at the first read.
    ///
    /// # Errors
    ///
    /// [`TransportError`]
    pub async fn dial(&self, address: &Address) -> Result<Link, TransportError> {
        let scheme = self.scheme(address)?;
        let connector = scheme.connector.as_deref();
        let connector = connector.ok_or_else(|| not_set_up(address))?;
        let after = self.dial_timeout;
        let link = timeout(after, connector.dial(address))
            .await
            .map_err(|_| TransportError::Timeout { after })??;
        checked(self.policy, link, address.scheme())
    }

    /// Listens until the listener is dropped.
    ///
    /// # Errors
    ///
    /// [`TransportError`]
    pub async fn listen(&self, address: &Address) -> Result<Box<dyn Listener>, TransportError> {
        let scheme = self.scheme(address)?;
        let bind = scheme.bind.as_deref();
        let establish_timeout = scheme.establish_timeout;
        let listener = bind
            .ok_or_else(|| not_set_up(address))?
            .listen(address)
            .await?;
        let policy = self.policy;
        Ok(Box::new(Checked {
            listener,
            policy,
            establish_timeout,
        }))
    }

    /// What WebSockets of this scheme run on.
    #[cfg(feature = "websocket")]
    pub(crate) fn below_web(&self, name: &str) -> Option<&Scheme> {
        match name {
            "tls" => self.web_tls.as_ref(),
            _ => self.schemes.get(name),
        }
    }

    fn scheme(&self, address: &Address) -> Result<&Scheme, TransportError> {
        let name = || address.scheme().to_owned();
        let scheme = self.schemes.get(address.scheme());
        let scheme = scheme.ok_or_else(|| TransportError::UnknownScheme { scheme: name() })?;
        if !self.policy.permits(scheme.security) {
            return Err(TransportError::Unprotected { scheme: name() });
        }
        Ok(scheme)
    }
}

fn not_set_up(address: &Address) -> TransportError {
    TransportError::NotSetUp {
        scheme: address.scheme().to_owned(),
    }
}

/// What a scheme promised its links must keep.
fn checked(policy: Policy, link: Link, scheme: &str) -> Result<Link, TransportError> {
    if policy.permits(link.security) {
        return Ok(link);
    }
    Err(TransportError::Unprotected {
        scheme: scheme.to_owned(),
    })
}

/// A listener whose links come in time and under the policy.
struct Checked {
    listener: Box<dyn Listener>,
    policy: Policy,
    establish_timeout: Duration,
}

impl Listener for Checked {
    fn local(&self) -> &Address {
        self.listener.local()
    }

    fn accept(&mut self) -> BoxFuture<'_, Result<Accepted, TransportError>> {
        Box::pin(async {
            let accepted = self.listener.accept().await?;
            let (policy, scheme) = (self.policy, self.local().scheme().to_owned());
            let after = self.establish_timeout;
            Ok(Accepted::new(accepted.remote().clone(), async move {
                let link = timeout(after, accepted.establish())
                    .await
                    .map_err(|_| TransportError::Timeout { after })??;
                checked(policy, link, &scheme)
            }))
        })
    }
}
