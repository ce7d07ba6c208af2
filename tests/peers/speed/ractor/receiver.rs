use std::sync::atomic::Ordering;

use ractor::{Actor, ActorCell, ActorRef, pg};
use ractor_cluster::NodeServerMessage;
use speed_harness::{COUNTERS, Place, Receiver, Tls};

use crate::actors::{Counter, Idle, REST_AFTER};
use crate::members::{COUNTERS_GROUP, IDLE_GROUP};
use crate::node;

/// Members that join at once: more would make longer messages than some nodes take.
const JOIN_LEN: usize = 10_000;

pub struct Receiving {
    _server: ActorRef<NodeServerMessage>,
    _actors: Vec<ActorCell>,
}

impl Receiver for Receiving {
    async fn start(tls: Option<Tls>) -> Result<(Self, u16), String> {
        let port = node::free_port()?;
        let server = node::start("receiver", port, tls.as_ref()).await?;
        let mut actors = Vec::new();
        for _ in 0..COUNTERS {
            actors.push(cell(Actor::spawn(None, Counter, ()).await)?);
        }
        pg::join(COUNTERS_GROUP.to_owned(), actors.clone());
        let receiving = Self {
            _server: server,
            _actors: actors,
        };
        Ok((receiving, port))
    }

    async fn spawn(&mut self, count: usize, place: Place) -> Result<(), String> {
        let mut spawned = Vec::with_capacity(count);
        for _ in 0..count {
            spawned.push(cell(Actor::spawn(None, Idle, ()).await)?);
        }
        if place == Place::Group {
            for some in spawned.chunks(JOIN_LEN) {
                pg::join(IDLE_GROUP.to_owned(), some.to_vec());
            }
        }
        self._actors.append(&mut spawned);
        Ok(())
    }

    fn rest_after(&mut self, casts: u64) -> Result<(), String> {
        REST_AFTER.store(casts, Ordering::Relaxed);
        Ok(())
    }
}

fn cell<M, H>(spawned: Result<(ActorRef<M>, H), ractor::SpawnErr>) -> Result<ActorCell, String> {
    let (actor, _) = spawned.map_err(|error| error.to_string())?;
    Ok(actor.get_cell())
}
