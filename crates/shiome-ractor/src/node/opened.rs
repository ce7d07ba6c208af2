use std::any::Any;

use shiome_transport::{Address, BoxRead, BoxWrite, ClusterBidiStream, Link};

use super::{NodeServerMessage, strangers::Stranger};
use crate::{NetworkStream, outcome::Outcome};

/// An open connection on its way to its session, with all that belongs to it.
///
/// The messages of the node server are those of `ractor_cluster`. This one travels among them as a stream that was opened
/// elsewhere, and is known again by its type.
pub(crate) struct Opened {
    pub(crate) link: Link,
    /// Where it was dialled, if that is known.
    pub(crate) address: Option<Address>,
    /// Its place among those that are not authenticated, if it was accepted.
    pub(crate) stranger: Option<Stranger>,
    /// Who waits for the session.
    pub(crate) outcome: Outcome,
}

impl Opened {
    /// Of a link that this node has dialled.
    pub(crate) fn dialled(link: Link, address: Address, outcome: Outcome) -> Self {
        Self {
            address: Some(address),
            outcome,
            ..link.into()
        }
    }

    /// Of a link that this node has accepted.
    pub(crate) fn accepted(link: Link, stranger: Stranger) -> Self {
        Self {
            stranger: Some(stranger),
            ..link.into()
        }
    }

    /// For the node server. `is_server` when the peer dialled.
    pub(crate) fn into_message(self, is_server: bool) -> NodeServerMessage {
        NodeServerMessage::ConnectionOpenedExternal {
            stream: Box::new(self),
            is_server,
        }
    }

    /// How two dials of one place are known to be that.
    pub(crate) fn target(&self) -> Option<String> {
        match (self.link.addrs, &self.address) {
            (Some(addrs), _) => Some(addrs.peer.to_string()),
            (None, address) => address.as_ref().map(Address::to_string),
        }
    }
}

impl From<Link> for Opened {
    fn from(link: Link) -> Self {
        Self {
            link,
            address: None,
            stranger: None,
            outcome: Outcome::none(),
        }
    }
}

impl From<NetworkStream> for Opened {
    fn from(stream: NetworkStream) -> Self {
        Link::from(stream).into()
    }
}

impl From<Box<dyn ClusterBidiStream>> for Opened {
    fn from(stream: Box<dyn ClusterBidiStream>) -> Self {
        if !(&*stream as &dyn Any).is::<Self>() {
            return Link::from(stream).into();
        }
        let stream: Box<dyn Any> = stream;
        *stream.downcast().expect("its type was looked at")
    }
}

impl ClusterBidiStream for Opened {
    fn split(self: Box<Self>) -> (BoxRead, BoxWrite) {
        (self.link.reader, self.link.writer)
    }

    fn peer_label(&self) -> Option<String> {
        self.link.peer_label()
    }

    fn local_label(&self) -> Option<String> {
        self.link.local_label()
    }
}

#[cfg(test)]
mod tests {
    use shiome_transport::Security;

    use super::*;

    #[tokio::test]
    async fn what_travels_as_a_stream_is_known_again() {
        let link = || Link::from_stream(tokio::io::empty(), "peer", "here", Security::Tls);
        let (outcome, settled) = Outcome::pair();
        let address: Address = "tls://host:1".parse().unwrap();
        let message = Opened::dialled(link(), address, outcome).into_message(false);
        let NodeServerMessage::ConnectionOpenedExternal { stream, is_server } = message else {
            panic!("{message:?}");
        };
        assert!(!is_server);
        assert_eq!(stream.peer_label().as_deref(), Some("peer"));
        let mut opened = Opened::from(stream);
        assert_eq!(opened.link.security, Security::Tls);
        assert_eq!(opened.target().as_deref(), Some("tls://host:1"));
        opened.outcome.settle(Err(crate::ConnectError::Stopped));
        assert!(settled.await.unwrap().is_err());

        // A link of somebody else's is a stream like any other.
        let stream: Box<dyn ClusterBidiStream> = Box::new(link());
        let opened = Opened::from(stream);
        assert_eq!(opened.link.security, Security::Unknown);
        assert_eq!(opened.target(), None);
    }
}
