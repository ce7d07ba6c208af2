use std::pin::Pin;

use speed_harness::{Receiver, Tls};
use tokio::net::TcpListener;
use tokio_stream::{Stream, StreamExt, wrappers::TcpListenerStream};
use tonic::{Request, Response, Status, Streaming, transport::Server};

use crate::{
    generated::counter_server::{Counter, CounterServer},
    messages::{Count, Payload},
};

pub struct Tonic;

impl Receiver for Tonic {
    async fn start(tls: Option<Tls>) -> Result<(Self, u16), String> {
        if tls.is_some() {
            return Err("not measured with TLS".to_owned());
        }
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .map_err(|e| e.to_string())?;
        let address = listener.local_addr().map_err(|e| e.to_string())?;
        // Sockets that were accepted elsewhere are taken as they are.
        let incoming = TcpListenerStream::new(listener).map(|stream| {
            let stream = stream?;
            stream.set_nodelay(true)?;
            Ok::<_, std::io::Error>(stream)
        });
        let server = Server::builder()
            .add_service(CounterServer::new(Self))
            .serve_with_incoming(incoming);
        tokio::spawn(async move {
            if let Err(error) = server.await {
                eprintln!("{error}");
            }
        });
        Ok((Self, address.port()))
    }
}

#[tonic::async_trait]
impl Counter for Tonic {
    type ExchangeStream = Pin<Box<dyn Stream<Item = Result<Payload, Status>> + Send>>;

    async fn put(&self, casts: Request<Streaming<Payload>>) -> Result<Response<Count>, Status> {
        let mut casts = casts.into_inner();
        let mut count = 0;
        while casts.message().await?.is_some() {
            count += 1;
        }
        Ok(Response::new(Count { casts: count }))
    }

    async fn echo(&self, call: Request<Payload>) -> Result<Response<Payload>, Status> {
        Ok(Response::new(call.into_inner()))
    }

    async fn exchange(
        &self,
        calls: Request<Streaming<Payload>>,
    ) -> Result<Response<Self::ExchangeStream>, Status> {
        Ok(Response::new(Box::pin(calls.into_inner())))
    }
}
