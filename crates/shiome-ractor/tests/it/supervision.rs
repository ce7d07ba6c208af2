//! Node servers and sessions below supervisors of the program's.

use std::{
    io,
    net::{Ipv4Addr, TcpListener},
};

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use shiome_ractor::{Node, NodeDown, NodeEvent, NodeServer, NodeServerMessage};
use tokio::sync::mpsc;

use super::support::{COOKIE, RawPeer};

/// No other test is at this address: a port that is given back there is nobody else's meanwhile.
const OWN: Ipv4Addr = Ipv4Addr::new(127, 0, 79, 2);

/// Takes the port of a node server that ends, while it still holds what the event brings.
struct Successor {
    port: u16,
    taken: mpsc::UnboundedSender<io::Result<TcpListener>>,
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Successor {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _myself: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<()>,
        event: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorTerminated(_, state, _) = &event {
            assert!(state.is_some(), "the server's state is in the event");
            self.taken.send(TcpListener::bind((OWN, self.port)))?;
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn the_port_of_a_node_server_that_has_stopped_is_free_for_its_successor() {
    // Whoever was at this port is gone.
    let free = TcpListener::bind((OWN, 0)).unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let (taken, mut takes) = mpsc::unbounded_channel();
    let (successor, _) = Actor::spawn(None, Successor { port, taken }, ())
        .await
        .unwrap();
    let (name, host) = ("port".to_owned(), OWN.to_string());
    let server = NodeServer::new(port, COOKIE.to_owned(), name, host, None, None)
        .with_listen_addr(OWN.into());
    let server: ActorRef<NodeServerMessage> =
        Actor::spawn_linked(None, server, (), successor.get_cell())
            .await
            .unwrap()
            .0;
    assert!(
        TcpListener::bind((OWN, port)).is_err(),
        "the server listens"
    );
    server.stop(None);
    let taken = takes.recv().await.unwrap();
    assert_eq!(taken.unwrap().local_addr().unwrap().port(), port);
}

#[tokio::test(start_paused = true)]
async fn events_end_with_the_node_server_however_it_ends_and_after_its_sessions() {
    for kill in [false, true] {
        let node = Node::builder(format!("last-event-{kill}@127.0.0.1:0"));
        let node = node.cookie(COOKIE).start().await.unwrap();
        let mut events = node.events();
        let name = format!("last-event-{kill}-peer");
        let _peer = RawPeer::join_native(node.server(), &name, 1).await;
        let server = node.server().clone();
        if kill {
            server.kill();
        } else {
            server.stop(None);
        }
        let mut downs = Vec::new();
        while let Some(event) = events.next().await {
            if let NodeEvent::NodeDown { reason, .. } = event {
                downs.push(reason);
            }
        }
        assert_eq!(downs, [NodeDown::Closed]);
        // Who asks later is told at once.
        assert!(node.events().next().await.is_none());
    }
}
