//! What acts.

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State, rejection::JsonRejection},
    http::StatusCode,
    routing::post,
};
use serde::{Deserialize, Serialize};
use shiome_ractor::inspect::{AskError, Request, Target};

use crate::{api::Failure, inspect::Inspect};

/// Longest body of a request, in bytes: what an operator types, or a file of arguments.
pub const MAX_REQUEST_LEN: usize = 1024 * 1024;

/// Longest time that a request waits for an answer.
pub const MAX_CALL_TIMEOUT: Duration = Duration::from_secs(600);

/// Time that a request without one waits.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// Body of `POST /v1/ping`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "whoever asks makes one")]
pub struct PingRequest {
    /// Full name of the node, with which there is a session.
    pub node: String,
    /// How long to wait, up to [`MAX_CALL_TIMEOUT`]. Default: 5 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// What a ping took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PingResponse {
    /// From the request to the sign of life.
    pub round_trip_us: u64,
}

/// Body of `POST /v1/call`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "whoever asks makes one")]
pub struct CallRequest {
    /// Full name of the actor's node: this one, or one with which there is a session.
    pub node: String,
    /// Name of the actor, or its number.
    pub actor: String,
    /// Name of the variant of its message type.
    pub variant: String,
    /// The encoded arguments, in hexadecimal. Default: none.
    #[serde(default)]
    pub arguments_hex: String,
    /// A one-way message: there is no reply. Default: `false`.
    #[serde(default)]
    pub cast: bool,
    /// How long to wait for the reply, up to [`MAX_CALL_TIMEOUT`]. Default: 5 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// What a call has brought.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CallResponse {
    /// The encoded reply, in hexadecimal; `None` of a cast.
    pub reply_hex: Option<String>,
}

pub(crate) fn router(inspect: Inspect) -> Router {
    Router::new()
        .route("/v1/ping", post(ping))
        .route("/v1/call", post(call))
        .layer(DefaultBodyLimit::max(MAX_REQUEST_LEN))
        .with_state(inspect)
}

async fn ping(
    State(inspect): State<Inspect>,
    body: Result<Json<PingRequest>, JsonRejection>,
) -> Result<Json<PingResponse>, Failure> {
    let Json(request) = inspect.well_formed(body)?;
    let limit = limit(request.timeout_ms);
    let took = inspect.node().ping(&request.node, limit).await?;
    Ok(Json(PingResponse {
        round_trip_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
    }))
}

async fn call(
    State(inspect): State<Inspect>,
    body: Result<Json<CallRequest>, JsonRejection>,
) -> Result<Json<CallResponse>, Failure> {
    let Json(request) = inspect.well_formed(body)?;
    let arguments = inspect.well_formed(hex::decode(&request.arguments_hex).map_err(|error| {
        Failure::new(StatusCode::BAD_REQUEST, format!("arguments_hex: {error}"))
    }))?;
    let message = Request {
        node: request.node,
        actor: Target::from(request.actor.as_str()),
        variant: request.variant,
        arguments: arguments.into(),
    };
    tracing::info!(
        node = message.node,
        actor = request.actor,
        variant = message.variant,
        "message of an operator"
    );
    let reply_hex = if request.cast {
        inspect.node().cast(message)?;
        None
    } else {
        let reply = inspect.node().call(message, limit(request.timeout_ms));
        Some(hex::encode(reply.await?))
    };
    Ok(Json(CallResponse { reply_hex }))
}

fn limit(timeout_ms: Option<u64>) -> Duration {
    let limit = timeout_ms.map_or(DEFAULT_TIMEOUT, Duration::from_millis);
    limit.min(MAX_CALL_TIMEOUT)
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        let status = match &error {
            AskError::NoNode(_) | AskError::NoActor => StatusCode::NOT_FOUND,
            AskError::TimedOut => StatusCode::GATEWAY_TIMEOUT,
            AskError::TooLong | AskError::NotRemotable => StatusCode::BAD_REQUEST,
            _ => StatusCode::BAD_GATEWAY,
        };
        Self::new(status, error.to_string())
    }
}
