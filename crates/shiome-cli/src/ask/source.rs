//! Who answers: the admin endpoint of a node, or a node whose guest we are.

use shiome::inspect::{ActorView, GroupView, Page, Paged, Request, SessionView, Target};
use shiome_inspect::{CallRequest, CallResponse, PingRequest, PingResponse};

use super::{AskFailure, AtOrJoin, client::Client, guest::Guest};

pub(super) enum Source {
    Operator(Client),
    Guest(Box<Guest>),
}

impl Source {
    pub(super) async fn of(at: &AtOrJoin) -> Result<Self, AskFailure> {
        match &at.join {
            None => Ok(Self::Operator(Client::open(&at.at).await?)),
            Some(address) => {
                let guest = Guest::join(address.as_str(), &at.entry, at.at.told.limit());
                Ok(Self::Guest(Box::new(guest.await?)))
            }
        }
    }

    /// Full name of the node that is meant by `node`, or by nothing: the node that is asked itself.
    pub(super) async fn node(&mut self, node: Option<&str>) -> Result<String, AskFailure> {
        match (self, node) {
            (_, Some(node)) => Ok(node.to_owned()),
            (Self::Guest(guest), None) => Ok(guest.session.name.clone()),
            (Self::Operator(client), None) => {
                let node: shiome::inspect::NodeView = client.get("/v1/node").await?;
                Ok(node.name)
            }
        }
    }

    pub(super) async fn ping(
        &mut self,
        node: &str,
        limit: std::time::Duration,
    ) -> Result<u64, AskFailure> {
        match self {
            Self::Operator(client) => {
                let request = PingRequest {
                    node: node.to_owned(),
                    timeout_ms: u64::try_from(limit.as_millis()).ok(),
                };
                let pong: PingResponse = client.post("/v1/ping", &request).await?;
                Ok(pong.round_trip_us)
            }
            Self::Guest(guest) => {
                let took = guest.look.ping(node, limit).await?;
                Ok(u64::try_from(took.as_micros()).unwrap_or(u64::MAX))
            }
        }
    }

    /// Actors of a node, all parts up to `limit` together. Without `node` those of the node that is asked.
    pub(super) async fn actors(
        &mut self,
        node: Option<&str>,
        search: Option<&str>,
        limit: usize,
    ) -> Result<Paged<ActorView>, AskFailure> {
        let node_id = match self {
            Self::Operator(client) => match node {
                None => 0,
                Some(name) => node_id(client, name).await?,
            },
            Self::Guest(guest) => guest.session.node_id,
        };
        let mut all = Paged::default();
        loop {
            let page = page(&all, search, limit);
            let part: Paged<ActorView> = match self {
                Self::Operator(client) => {
                    let query = format!("{}&node_id={node_id}", query(&page));
                    client.get(&format!("/v1/actors?{query}")).await?
                }
                Self::Guest(guest) => (guest.look.remote_actors(node_id, &page))
                    .map_err(|error| AskFailure::NotDone(error.to_string()))?,
            };
            if !take(&mut all, part, limit) {
                return Ok(all);
            }
        }
    }

    /// Process groups that the node that is asked knows; of a guest, those in which the node has members.
    pub(super) async fn groups(
        &mut self,
        search: Option<&str>,
        limit: usize,
    ) -> Result<Paged<GroupView>, AskFailure> {
        let mut all = Paged::default();
        loop {
            let page = page(&all, search, limit);
            let part: Paged<GroupView> = match self {
                Self::Operator(client) => {
                    client.get(&format!("/v1/groups?{}", query(&page))).await?
                }
                Self::Guest(guest) => (guest.look.groups(&page))
                    .map_err(|error| AskFailure::NotDone(error.to_string()))?,
            };
            if !take(&mut all, part, limit) {
                return Ok(all);
            }
        }
    }

    /// Sends a message; the reply, unless it is one-way.
    pub(super) async fn call(
        &mut self,
        request: CallRequest,
        limit: std::time::Duration,
    ) -> Result<Option<Vec<u8>>, AskFailure> {
        match self {
            Self::Operator(client) => {
                let response: CallResponse = client.post("/v1/call", &request).await?;
                let reply = response.reply_hex.map(hex::decode).transpose();
                reply.map_err(|error| AskFailure::Protocol(error.into()))
            }
            Self::Guest(guest) => {
                let arguments = hex::decode(&request.arguments_hex);
                let message = Request {
                    node: request.node,
                    actor: Target::from(request.actor.as_str()),
                    variant: request.variant,
                    arguments: arguments
                        .map_err(|error| AskFailure::Protocol(error.into()))?
                        .into(),
                };
                if request.cast {
                    guest.look.cast(message)?;
                    return Ok(None);
                }
                let reply = guest.look.call(message, limit).await?;
                Ok(Some(reply.to_vec()))
            }
        }
    }

    /// What was sent is written.
    pub(super) async fn close(self) {
        if let Self::Guest(guest) = self {
            guest.leave().await;
        }
    }
}

async fn node_id(client: &mut Client, name: &str) -> Result<u64, AskFailure> {
    let node: shiome::inspect::NodeView = client.get("/v1/node").await?;
    if node.name == name {
        return Ok(0);
    }
    let sessions: Vec<SessionView> = client.get("/v1/sessions").await?;
    let session = sessions.into_iter().find(|session| session.peer == name);
    let none = || AskFailure::NotDone(format!("the node has no session with `{name}`"));
    Ok(session.ok_or_else(none)?.node_id)
}

fn page<T>(all: &Paged<T>, search: Option<&str>, limit: usize) -> Page {
    let page = Page::new(all.next.clone(), limit - all.items.len());
    match search {
        Some(text) => page.search(text),
        None => page,
    }
}

/// Adds a part; whether there is more, and room for it.
fn take<T>(all: &mut Paged<T>, part: Paged<T>, limit: usize) -> bool {
    all.items.extend(part.items);
    all.total = part.total;
    all.next = part.next;
    all.next.is_some() && all.items.len() < limit
}

fn query(page: &Page) -> String {
    let limit = page.limit.map(|limit| limit.to_string());
    let fields = [
        ("after", page.after.clone()),
        ("limit", limit),
        ("search", page.search.clone()),
    ];
    let given = fields.into_iter();
    let given = given.filter_map(|(name, value)| Some(format!("{name}={}", escaped(&value?))));
    given.collect::<Vec<_>>().join("&")
}

/// As a part of a query (RFC 3986 §2.1).
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(byte.into());
            }
            byte => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_searched_for_stays_one_value_of_the_query() {
        let page = Page::new(None, 3).search("a b&limit=9%ä");
        assert_eq!(query(&page), "limit=3&search=a%20b%26limit%3D9%25%C3%A4");
    }
}
