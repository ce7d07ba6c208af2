//! One node of the demo, in a process of its own.

use std::{
    collections::{BTreeSet, HashMap},
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ractor::{Actor, ActorCell, ActorRef, pg};
use shiome::{
    Builder, Events, Expose, Gossip, Node, NodeEvent, NodeId, Security,
    transport::tls::{Credentials, Identity, LoadError, Trust, ring},
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines, Stdin},
    sync::{Notify, watch},
    task::JoinSet,
};

use super::{
    counter::{Count, GROUP},
    promise::Patience,
    protocol::{Answer, Line, Order, Request, Role, Setup, Tls, View},
};
use crate::{error::chain, print};

mod actors;
mod asking;
mod page;
mod user;
mod watcher;

use asking::{call, median_and_longest, micros, timed, unsent};
use user::User;
use watcher::Watcher;

/// Time that a call waits for its answer: well beyond the demo's patience, so that a call that ends with its callee is
/// not mistaken for one that timed out.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(120);

/// Runs the node until standard input ends.
pub(super) async fn run() -> io::Result<()> {
    let mut orders = BufReader::new(tokio::io::stdin()).lines();
    let Some(setup) = orders.next_line().await? else {
        return Ok(());
    };
    let setup: Setup = serde_json::from_str(&setup)?;
    let role = setup.role.clone();
    let node = match start(setup).await {
        Ok(node) => node,
        Err(error) => return tell(&Line::Failed(error)),
    };
    if let Role::Member {
        dashboard: Some(addr),
        ..
    } = &role
    {
        match page::show(&node, *addr).await {
            Ok(url) => tell(&Line::Dashboard(url))?,
            Err(error) => return tell(&Line::Failed(error)),
        }
    }
    serve(node, role, orders).await
}

async fn start(setup: Setup) -> Result<Node, String> {
    let mut builder = Node::builder(setup.address).cookie(setup.secrets.cookie);
    if let Some(tls) = setup.secrets.tls {
        let credentials = credentials(&tls).map_err(|error| chain(&error))?;
        builder = builder.tls(&credentials);
    }
    let builder = play(builder, setup.role, setup.patience);
    builder.start().await.map_err(|error| chain(&error))
}

fn credentials(tls: &Tls) -> Result<Arc<Credentials>, LoadError> {
    let identity = Identity::from_pem(tls.certificate.as_bytes(), tls.key.as_bytes())?;
    let trust = Trust::authorities_pem(tls.authority.as_bytes())?;
    Credentials::new(Some(identity), trust, ring())
}

/// Makes the node one for that.
fn play(builder: Builder, role: Role, patience: Patience) -> Builder {
    match role {
        Role::Member { seeds, .. } => builder
            .seeds(seeds)
            .gossip(Gossip::new().config(patience.gossip())),
        Role::Owner => builder.expose(Expose::Explicit).session(patience.session()),
        Role::User { owner } => builder.peers([owner]).session(patience.session()),
        Role::Stranger => builder,
    }
}

async fn serve(node: Node, role: Role, mut orders: Lines<BufReader<Stdin>>) -> io::Result<()> {
    let (address, events) = (node.local_addr(), node.events());
    let (holding, held) = watch::channel(0);
    let changed = Arc::new(Notify::new());
    let spawn = async {
        let (watcher, _) = Actor::spawn(None, Watcher, Arc::clone(&changed)).await?;
        pg::monitor(GROUP.to_owned(), watcher.get_cell());
        actors::spawn(&node, &role, &holding).await
    };
    spawn.await.map_err(io::Error::other)?;

    let local = Arc::new(Local {
        node,
        names: Mutex::default(),
        counters: Mutex::default(),
        user: User::default(),
    });
    tell(&Line::Listening(address))?;
    let views = tokio::spawn(report_views(Arc::clone(&local), events, changed, held));
    let mut requests = JoinSet::new();
    while let Some(order) = orders.next_line().await? {
        let Order { id, request } = serde_json::from_str(&order)?;
        let local = Arc::clone(&local);
        // In a task of its own: one that waits must not hold up the next.
        requests.spawn(async move {
            let answer = local.answer(request).await;
            tell(&Line::Answer { id, answer })
        });
        while requests.try_join_next().is_some() {}
    }
    requests.shutdown().await;
    views.abort();
    let _ = views.await;
    let local = Arc::into_inner(local).expect("the tasks that shared the node are over");
    local.node.stop().await;
    Ok(())
}

fn tell(line: &Line) -> io::Result<()> {
    print(serde_json::to_string(line)?)
}

/// Tells the demo whenever the node sees something new.
async fn report_views(
    local: Arc<Local>,
    mut events: Events,
    group_changed: Arc<Notify>,
    mut held: watch::Receiver<usize>,
) -> io::Result<()> {
    let mut ready = HashMap::<NodeId, String>::new();
    let (mut unsent, mut told) = (0, View::default());
    loop {
        let members = local.node.members();
        let view = View {
            members: members.into_iter().map(|member| member.address).collect(),
            peers: ready.values().cloned().collect(),
            counters: local.counters().await,
            holding: *held.borrow_and_update(),
            unsent,
        };
        if view != told {
            tell(&Line::View(view.clone()))?;
            told = view;
        }
        tokio::select! {
            event = events.next() => match event {
                Some(NodeEvent::Ready(session)) => {
                    ready.insert(session.node_id, session.name);
                }
                Some(NodeEvent::Disconnected(session)) => {
                    ready.remove(&session.node_id);
                }
                Some(NodeEvent::Unsent { unsent: lost, .. }) => unsent += lost.casts,
                Some(_) => {}
                None => return Ok(()),
            },
            () = group_changed.notified() => {}
            changed = held.changed() => if changed.is_err() {
                return Ok(());
            },
        }
    }
}

/// The node of this process.
struct Local {
    node: Node,
    /// Names of the nodes whose numbers have been seen.
    names: Mutex<HashMap<NodeId, String>>,
    /// The counter of each node, also after it has left the group: the demo calls the dead.
    counters: Mutex<HashMap<String, ActorRef<Count>>>,
    user: User,
}

impl Local {
    /// Looks who is in the group, and keeps the refs.
    async fn counters(&self) -> BTreeSet<String> {
        let mut present = BTreeSet::new();
        for counter in pg::get_members(&GROUP.to_owned()) {
            if let Some(name) = self.node_of(&counter).await {
                lock(&self.counters).insert(name.clone(), counter.into());
                present.insert(name);
            }
        }
        present
    }

    /// The name of the node that an actor lives on.
    async fn node_of(&self, actor: &ActorCell) -> Option<String> {
        if actor.get_id().is_local() {
            return Some(self.node.name().to_owned());
        }
        let node_id = actor.get_id().node();
        if !lock(&self.names).contains_key(&node_id) {
            let sessions = self.node.sessions().await.unwrap_or_default();
            let names = sessions.into_iter().map(|s| (s.node_id, s.name));
            lock(&self.names).extend(names);
        }
        lock(&self.names).get(&node_id).cloned()
    }

    async fn answer(&self, request: Request) -> Result<Answer, String> {
        match request {
            Request::Cast { to, count } => {
                let counter = self.counter(&to)?;
                let from = self.node.name().to_owned();
                for _ in 0..count {
                    let from = from.clone();
                    counter.cast(Count::Add { from }).map_err(unsent)?;
                }
                // Comes after the casts: both take the same way, in order.
                let counted = call(&counter, |reply| Count::Of(from, reply)).await?;
                Ok(Answer::Counted(counted))
            }
            Request::Call { to, count } => {
                let counter = self.counter(&to)?;
                let mut totals = Vec::new();
                let mut times = Vec::new();
                for _ in 0..count {
                    let (total, time) = timed(call(&counter, Count::Total)).await;
                    totals.push(total?);
                    times.push(time);
                }
                let (median_us, _) = median_and_longest(times);
                Ok(Answer::Totals { totals, median_us })
            }
            Request::Hold { to } => {
                let answer = call(&self.counter(&to)?, Count::Hold).await?;
                Ok(Answer::Counted(answer))
            }
            Request::Group => {
                let members = pg::get_members(&GROUP.to_owned());
                Ok(Answer::Counted(members.len() as u64))
            }
            Request::Encrypted => {
                let sessions = self.node.sessions().await.unwrap_or_default();
                let links = sessions.iter().filter_map(|peer| self.node.link(peer));
                let encrypted = links.filter(|link| link.security == Security::Tls);
                Ok(Answer::Counted(encrypted.count() as u64))
            }
            Request::Connect(address) => match self.node.connect(address).await {
                Ok(_) => Ok(Answer::Done),
                Err(error) => Err(chain(&error)),
            },
            Request::Use(order) => self.user.answer(&self.node, order).await,
        }
    }

    fn counter(&self, node: &str) -> Result<ActorRef<Count>, String> {
        let counter = lock(&self.counters).get(node).cloned();
        counter.ok_or_else(|| format!("the counter of {node} was never in the group"))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // The maps are whole after any panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
