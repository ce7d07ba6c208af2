mod exchange;

use std::time::{Duration, Instant};

use speed_harness::{Called, Calls, Casts, Connected, Handle, Tls};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, transport::Channel};

use crate::{
    generated::counter_client::CounterClient,
    messages::{Count, Payload},
};
use exchange::Exchange;

/// Messages that wait between a sender and the connection.
const QUEUE_LEN: usize = 1024;

type Client = CounterClient<Channel>;

pub struct Tonic(Client);

impl speed_harness::Sender for Tonic {
    async fn connect(
        address: String,
        _tls: Option<Tls>,
        members: usize,
    ) -> Result<(Self, Connected), String> {
        if members > 0 {
            return Err("there are no groups".to_owned());
        }
        let start = Instant::now();
        let client = Client::connect(format!("http://{address}"))
            .await
            .map_err(|e| e.to_string())?;
        let took = start.elapsed();
        let connected = Connected {
            ready: took,
            visible: took,
        };
        Ok((Self(client), connected))
    }

    async fn casts(&mut self, handle: &str, casts: Casts) -> Result<Duration, String> {
        if handle != "stream" {
            return Err(format!("no casts through {handle}"));
        }
        let streams = (0..casts.senders).map(|_| CastStream {
            client: self.0.clone(),
            open: None,
            arrived: 0,
        });
        speed_harness::casts(streams.collect(), casts).await
    }

    async fn calls(&mut self, handle: &str, calls: Calls) -> Result<Called, String> {
        match handle {
            "unary" => {
                let callers = vec![Unary(self.0.clone()); calls.callers];
                speed_harness::calls(callers, calls).await
            }
            "bidi" => {
                let exchange = Exchange::open(&mut self.0, calls.callers).await?;
                speed_harness::calls(vec![exchange; calls.callers], calls).await
            }
            _ => Err(format!("no calls through {handle}")),
        }
    }
}

/// Casts through a stream that ends when one waits for them to have arrived.
struct CastStream {
    client: Client,
    open: Option<Open>,
    arrived: u64,
}

struct Open {
    casts: mpsc::Sender<Payload>,
    count: JoinHandle<Result<Count, Status>>,
}

impl CastStream {
    fn open(&mut self) -> &mut Open {
        self.open.get_or_insert_with(|| {
            let (casts, queue) = mpsc::channel(QUEUE_LEN);
            let mut client = self.client.clone();
            let count = tokio::spawn(async move {
                let count = client.put(ReceiverStream::new(queue)).await?;
                Ok(count.into_inner())
            });
            Open { casts, count }
        })
    }
}

impl Handle for CastStream {
    async fn cast(&mut self, payload: &[u8]) -> Result<(), String> {
        let what = payload.to_vec();
        let sent = self.open().casts.send(Payload { what }).await;
        sent.map_err(|e| e.to_string())
    }

    async fn arrived(&mut self) -> Result<u64, String> {
        let Some(Open { casts, count }) = self.open.take() else {
            return Ok(self.arrived);
        };
        drop(casts);
        let count = count.await.map_err(|e| e.to_string())?;
        self.arrived += count.map_err(|e| e.to_string())?.casts;
        Ok(self.arrived)
    }

    async fn call(&mut self, _payload: &[u8]) -> Result<usize, String> {
        Err("a stream of casts does not call".to_owned())
    }
}

/// A request for each call.
#[derive(Clone)]
struct Unary(Client);

impl Handle for Unary {
    async fn cast(&mut self, _payload: &[u8]) -> Result<(), String> {
        Err("a request is no cast".to_owned())
    }

    async fn arrived(&mut self) -> Result<u64, String> {
        Ok(0)
    }

    async fn call(&mut self, payload: &[u8]) -> Result<usize, String> {
        let what = payload.to_vec();
        let reply = self.0.echo(Payload { what }).await;
        Ok(reply.map_err(|e| e.to_string())?.into_inner().what.len())
    }
}
