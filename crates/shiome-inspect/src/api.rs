//! What can be read.

use axum::{
    Json, Router,
    extract::{
        Query, State,
        rejection::{JsonRejection, QueryRejection},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde::{Deserialize, Serialize};
use shiome_ractor::{
    NodeId,
    inspect::{
        ActorView, GossipView, GroupView, MemberView, NodeView, Page, PageError, Paged, PeerView,
        SessionView,
    },
};

use crate::{
    feed::{self, FeedSnapshot, NumberedEvent},
    inspect::Inspect,
    refusals::RefusalReason,
};

/// Why a request has no answer: a status, and `{"error": …}`.
#[derive(Debug)]
pub(crate) struct Failure {
    status: StatusCode,
    why: String,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, why: impl Into<String>) -> Self {
        let why = why.into();
        Self { status, why }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Body {
            error: String,
        }
        let error = self.why;
        (self.status, Json(Body { error })).into_response()
    }
}

impl From<PageError> for Failure {
    fn from(error: PageError) -> Self {
        let status = match error {
            PageError::NoSession => StatusCode::NOT_FOUND,
            _ => StatusCode::BAD_REQUEST,
        };
        Self::new(status, error.to_string())
    }
}

impl From<QueryRejection> for Failure {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

impl From<JsonRejection> for Failure {
    fn from(rejection: JsonRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

pub(crate) fn router(inspect: Inspect) -> Router {
    Router::new()
        .route("/v1/snapshot", get(snapshot))
        .route("/v1/node", get(node))
        .route("/v1/sessions", get(sessions))
        .route("/v1/peers", get(peers))
        .route("/v1/members", get(members))
        .route("/v1/gossip", get(gossip))
        .route("/v1/actors", get(actors))
        .route("/v1/groups", get(groups))
        .route("/v1/events", get(events))
        .route("/v1/feed", get(feed::feed))
        .with_state(inspect)
}

pub(crate) fn health_router(inspect: Inspect) -> Router {
    Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .with_state(inspect)
}

async fn alive(State(inspect): State<Inspect>) -> Response {
    verdict(inspect.health().is_alive(), "alive", "stopped")
}

async fn ready(State(inspect): State<Inspect>) -> Response {
    verdict(inspect.health().is_ready(), "ready", "not ready")
}

fn verdict(holds: bool, yes: &'static str, no: &'static str) -> Response {
    if holds {
        yes.into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, no).into_response()
    }
}

async fn snapshot(State(inspect): State<Inspect>) -> Json<FeedSnapshot> {
    Json(inspect.snapshot())
}

async fn node(State(inspect): State<Inspect>) -> Json<NodeView> {
    Json(inspect.node().node())
}

async fn sessions(State(inspect): State<Inspect>) -> Json<Vec<SessionView>> {
    Json(inspect.node().sessions())
}

async fn peers(State(inspect): State<Inspect>) -> Json<Vec<PeerView>> {
    Json(inspect.node().peers())
}

async fn members(State(inspect): State<Inspect>) -> Json<Vec<MemberView>> {
    Json(inspect.node().members())
}

async fn gossip(State(inspect): State<Inspect>) -> Result<Json<GossipView>, Failure> {
    let gossip = inspect.node().gossip();
    let none = || Failure::new(StatusCode::NOT_FOUND, "the node does not gossip");
    gossip.map(Json).ok_or_else(none)
}

/// [`Page`], and whose actors.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ActorQuery {
    after: Option<String>,
    limit: Option<usize>,
    search: Option<String>,
    node_id: Option<NodeId>,
}

async fn actors(
    State(inspect): State<Inspect>,
    query: Result<Query<ActorQuery>, QueryRejection>,
) -> Result<Json<Paged<ActorView>>, Failure> {
    let Query(query) = inspect.well_formed(query)?;
    let mut page = Page::default();
    (page.after, page.limit, page.search) = (query.after, query.limit, query.search);
    let actors = match query.node_id {
        None | Some(0) => inspect.node().actors(&page),
        Some(node_id) => inspect.node().remote_actors(node_id, &page),
    };
    Ok(Json(actors?))
}

async fn groups(
    State(inspect): State<Inspect>,
    query: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Paged<GroupView>>, Failure> {
    let Query(page) = inspect.well_formed(query)?;
    Ok(Json(inspect.node().groups(&page)?))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct EventQuery {
    after: Option<u64>,
}

async fn events(
    State(inspect): State<Inspect>,
    query: Result<Query<EventQuery>, QueryRejection>,
) -> Result<Json<Vec<NumberedEvent>>, Failure> {
    let Query(EventQuery { after }) = inspect.well_formed(query)?;
    Ok(Json(inspect.timeline(after.unwrap_or(0))))
}

impl Inspect {
    /// Counts a request that is none.
    pub(crate) fn well_formed<T, R: Into<Failure>>(
        &self,
        asked: Result<T, R>,
    ) -> Result<T, Failure> {
        asked.map_err(|rejection| {
            let failure = rejection.into();
            let reason = match failure.status {
                StatusCode::PAYLOAD_TOO_LARGE => RefusalReason::TooLarge,
                _ => RefusalReason::Malformed,
            };
            self.refusals().count(reason);
            failure
        })
    }
}
