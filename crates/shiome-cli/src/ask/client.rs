//! The client of an admin endpoint.

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request, StatusCode,
    body::Bytes,
    client::conn::http1::{SendRequest, handshake},
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use shiome::transport::{Links, Policy};
use tokio::time::timeout;

use super::{AskFailure, At, Told};
use crate::token;

/// Longest answer, in bytes: a snapshot with a thousand sessions is some two MiB.
const MAX_ANSWER_LEN: usize = 64 * 1024 * 1024;

/// An open connection to a node.
pub(super) struct Client {
    sender: SendRequest<Full<Bytes>>,
    authorization: Option<HeaderValue>,
    told: Told,
}

impl Client {
    pub(super) async fn open(at: &At) -> Result<Self, AskFailure> {
        let address = at.address()?;
        let authorization = match &at.token_file {
            Some(file) => Some(bearer(&token::text(file)?)),
            None if address.scheme() == "tcp" => return Err(AskFailure::NeedsToken),
            None => None,
        };
        let links = Links::new(Policy::Any).with_dial_timeout(at.told.limit());
        let link = links.dial(&address).await?;
        let stream = TokioIo::new(tokio::io::join(link.reader, link.writer));
        let (sender, connection) = handshake(stream).await.map_err(protocol)?;
        // It ends with the client; what is wrong the request tells.
        tokio::spawn(connection);
        Ok(Self {
            sender,
            authorization,
            told: at.told,
        })
    }

    pub(super) async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, AskFailure> {
        self.ask(Method::GET, path, Bytes::new()).await
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &mut self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, AskFailure> {
        let body = serde_json::to_vec(body).map_err(protocol)?;
        self.ask(Method::POST, path, body.into()).await
    }

    async fn ask<T: DeserializeOwned>(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<T, AskFailure> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "localhost")
            .header(CONTENT_TYPE, "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(Full::new(body)).map_err(protocol)?;
        // The node has as long, and then says so itself.
        let patience = self.told.limit() + std::time::Duration::from_secs(1);
        let answered = async {
            // The connection may not have come to the end of the answer before.
            self.sender.ready().await.map_err(protocol)?;
            let response = self.sender.send_request(request).await.map_err(protocol)?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_ANSWER_LEN);
            let body = body.collect().await.map_err(AskFailure::Protocol)?;
            Ok::<_, AskFailure>((status, body.to_bytes()))
        };
        let answered = timeout(patience, answered).await;
        let (status, body) = answered.map_err(|_| AskFailure::Late)??;
        match status {
            status if status.is_success() => serde_json::from_slice(&body).map_err(protocol),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(AskFailure::Refused(reason(&body, status)))
            }
            status => Err(AskFailure::NotDone(reason(&body, status))),
        }
    }
}

fn bearer(token: &str) -> HeaderValue {
    let mut value =
        HeaderValue::from_str(&format!("Bearer {token}")).expect("a token is printable ASCII");
    value.set_sensitive(true);
    value
}

fn reason(body: &[u8], status: StatusCode) -> String {
    let body: Option<Value> = serde_json::from_slice(body).ok();
    let told = body.as_ref().and_then(|body| body["error"].as_str());
    told.map_or_else(|| status.to_string(), super::table::clean)
}

fn protocol(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> AskFailure {
    AskFailure::Protocol(error.into())
}
