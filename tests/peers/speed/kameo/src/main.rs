//! The same work through kameo's remote actors, which are libp2p: TCP, noise, yamux, one substream for each message.
//!
//! Casts wait for the acknowledgement, many at a time: those that do not are lost as soon as there are many.

mod swarm;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use kameo::prelude::*;
use serde::{Deserialize, Serialize};
use speed_harness::{Called, Calls, Casts, Connected, Handle, Tls};

/// What the actor is registered as.
const NAME: &str = "counter";

/// Casts that wait for their acknowledgement.
const WINDOW: usize = 64;

/// Pause between two looks for the actor.
const LOOKUP_PAUSE: Duration = Duration::from_millis(20);
const LOOKUPS: usize = 250;

fn main() -> ExitCode {
    speed_harness::run::<Receiving, Sending>()
}

#[derive(Actor, RemoteActor)]
struct Counter {
    casts: u64,
}

#[derive(Serialize, Deserialize)]
struct Put(Vec<u8>);

#[derive(Serialize, Deserialize)]
struct Echo(Vec<u8>);

#[derive(Serialize, Deserialize)]
struct Count;

#[remote_message]
impl Message<Put> for Counter {
    type Reply = ();

    async fn handle(&mut self, _put: Put, _ctx: &mut Context<Self, ()>) {
        self.casts += 1;
    }
}

#[remote_message]
impl Message<Echo> for Counter {
    type Reply = Vec<u8>;

    async fn handle(&mut self, echo: Echo, _ctx: &mut Context<Self, Vec<u8>>) -> Vec<u8> {
        echo.0
    }
}

#[remote_message]
impl Message<Count> for Counter {
    type Reply = u64;

    async fn handle(&mut self, _count: Count, _ctx: &mut Context<Self, u64>) -> u64 {
        self.casts
    }
}

struct Receiving {
    _counter: ActorRef<Counter>,
}

impl speed_harness::Receiver for Receiving {
    async fn start(tls: Option<Tls>) -> Result<(Self, u16), String> {
        if tls.is_some() {
            return Err("has an encryption of its own".to_owned());
        }
        let port = swarm::listen().await?;
        let counter = Counter::spawn(Counter { casts: 0 });
        counter.register(NAME).await.map_err(|e| e.to_string())?;
        Ok((Self { _counter: counter }, port))
    }
}

struct Sending(RemoteActorRef<Counter>);

impl speed_harness::Sender for Sending {
    async fn connect(
        address: String,
        _tls: Option<Tls>,
        members: usize,
    ) -> Result<(Self, Connected), String> {
        if members > 0 {
            return Err("there are no groups".to_owned());
        }
        let start = Instant::now();
        swarm::dial(&address)?;
        let counter = look_up().await?;
        let took = start.elapsed();
        let connected = Connected {
            ready: took,
            visible: took,
        };
        Ok((Self(counter), connected))
    }

    async fn casts(&mut self, _handle: &str, casts: Casts) -> Result<Duration, String> {
        let handles = vec![Remote(self.0.clone()); casts.senders.max(WINDOW)];
        speed_harness::shared_casts(handles, casts).await
    }

    async fn calls(&mut self, _handle: &str, calls: Calls) -> Result<Called, String> {
        speed_harness::calls(vec![Remote(self.0.clone()); calls.callers], calls).await
    }
}

async fn look_up() -> Result<RemoteActorRef<Counter>, String> {
    for _ in 0..LOOKUPS {
        if let Ok(Some(counter)) = RemoteActorRef::<Counter>::lookup(NAME).await {
            // The first answers may be that it is not there.
            if counter.ask(&Count).await.is_ok() {
                return Ok(counter);
            }
        }
        tokio::time::sleep(LOOKUP_PAUSE).await;
    }
    Err("the actor was not found".to_owned())
}

#[derive(Clone)]
struct Remote(RemoteActorRef<Counter>);

impl Handle for Remote {
    async fn cast(&mut self, payload: &[u8]) -> Result<(), String> {
        let put = Put(payload.to_vec());
        self.0
            .tell(&put)
            .send_ack()
            .await
            .map_err(|e| e.to_string())
    }

    async fn arrived(&mut self) -> Result<u64, String> {
        self.0.ask(&Count).await.map_err(|e| e.to_string())
    }

    async fn call(&mut self, payload: &[u8]) -> Result<usize, String> {
        let reply = self.0.ask(&Echo(payload.to_vec())).await;
        Ok(reply.map_err(|e| e.to_string())?.len())
    }
}
