use std::sync::{Mutex, MutexGuard};

use futures_util::FutureExt as _;

use super::*;
use crate::{
    BoxFuture, Bus, BusError, BusOptions, Envelope, Inbound, LinkOptions, LinkState, LinkStats,
    PeerOptions, Remote,
};

const NEAR: LinkKind = LinkKind::new("near");
const FAR: LinkKind = LinkKind::new("far");

fn id(name: &str) -> PeerId {
    PeerId::new(name).unwrap()
}

fn life(number: u64) -> Incarnation {
    Incarnation::new(number).unwrap()
}

/// A life that is later than any of this process.
const LATEST: u64 = crate::MAX_NUMBER;

/// What was told, and what somebody knows who was.
#[derive(Debug, Default)]
struct Heard {
    all: Vec<(PeerId, Incarnation, bool)>,
    known: BTreeMap<PeerId, Incarnation>,
}

impl Heard {
    fn hear(&mut self, peer: &PeerId, incarnation: Incarnation, present: bool) {
        self.all.push((peer.clone(), incarnation, present));
        let known = self.known.get(peer);
        if known.is_some_and(|known| *known > incarnation) {
            return;
        }
        match present {
            true => self.known.insert(peer.clone(), incarnation),
            false => self.known.remove(peer),
        };
    }

    fn take(&mut self) -> Vec<(PeerId, Incarnation, bool)> {
        mem::take(&mut self.all)
    }
}

/// What the links to the clients of one server share.
#[derive(Debug, Default)]
struct Together(Mutex<Heard>);

impl Audience for Together {
    fn hear(self: Arc<Self>, peer: &PeerId, incarnation: Incarnation, present: bool) {
        self.0.lock().unwrap().hear(peer, incarnation, present);
    }
}

/// A link whose other end is the test.
#[derive(Debug)]
struct ByHand {
    kind: LinkKind,
    inbound: Mutex<Option<Arc<dyn Inbound>>>,
    state: watch::Sender<LinkState>,
    heard: Mutex<Heard>,
    together: Option<Arc<Together>>,
}

impl ByHand {
    fn up(
        core: &Arc<Core>,
        kind: LinkKind,
        together: Option<&Arc<Together>>,
    ) -> (Arc<Self>, LinkId) {
        let link = Arc::new(Self {
            kind,
            inbound: Mutex::default(),
            state: watch::Sender::new(LinkState::Up),
            heard: Mutex::default(),
            together: together.map(Arc::clone),
        });
        let id = core.attach(link.clone(), LinkOptions::default()).unwrap();
        link.inbound().up(Remote::gateway(self::id("relay")));
        (link, id)
    }

    fn inbound(&self) -> Arc<dyn Inbound> {
        self.inbound.lock().unwrap().clone().unwrap()
    }

    fn tell(&self, names: impl IntoIterator<Item = String>) {
        for name in names {
            self.inbound().peer_up(&id(&name), life(1)).unwrap();
        }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap()
    }
}

impl Link for ByHand {
    fn kind(&self) -> LinkKind {
        self.kind
    }

    fn start(&self, inbound: Arc<dyn Inbound>) -> Result<(), BusError> {
        *self.inbound.lock().unwrap() = Some(inbound);
        Ok(())
    }

    fn try_send(&self, _: &Envelope) -> Result<(), BusError> {
        Ok(())
    }

    fn send<'a>(&'a self, _: &'a Envelope) -> BoxFuture<'a, Result<(), BusError>> {
        Box::pin(async { Ok(()) })
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), BusError>> {
        Box::pin(async { Ok(()) })
    }

    fn close(&self, _: Duration) -> BoxFuture<'_, Result<(), BusError>> {
        Box::pin(async { Ok(()) })
    }

    fn state(&self) -> watch::Receiver<LinkState> {
        self.state.subscribe()
    }

    fn peers(&self) -> Vec<PeerId> {
        Vec::new()
    }

    fn stats(&self) -> LinkStats {
        LinkStats::new(self.kind)
    }

    fn local_peer(&self, peer: &PeerId, incarnation: Incarnation, present: bool) {
        self.heard().hear(peer, incarnation, present);
    }

    fn audience(&self) -> Option<Arc<dyn Audience>> {
        Some(self.together.clone()?)
    }
}

fn bus() -> Bus {
    Bus::with(BusOptions::default().bridge())
}

fn names(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("peer-{number}"))
}

/// On the paused clock: all that changed is told then.
async fn settled() {
    sleep(3 * MAX_TELL_DELAY).await;
}

#[tokio::test(start_paused = true)]
async fn who_comes_and_goes_again_and_again_is_all_that_is_told() {
    let bus = bus();
    let nodes: Vec<_> = (0..20)
        .map(|_| ByHand::up(&bus.core, FAR, None).0)
        .collect();
    let (near, _) = ByHand::up(&bus.core, NEAR, None);
    near.tell(names(1000));
    settled().await;
    for node in &nodes {
        let told = node.heard().take();
        assert_eq!(told.len(), 1000, "each once");
        assert!(told.iter().all(|(.., present)| *present));
    }
    assert_eq!(near.heard().take(), []);
    for round in 0..30 {
        let (client, link) = ByHand::up(&bus.core, NEAR, None);
        client.tell([String::from("client")]);
        settled().await;
        bus.detach(link);
        settled().await;
        let told = [true, false].map(|present| (id("client"), life(1), present));
        for node in &nodes {
            assert_eq!(node.heard().take(), told, "round {round}");
        }
        assert_eq!(client.heard().take(), []);
    }
    // Who is gone before anybody is told is not told of.
    let (client, link) = ByHand::up(&bus.core, NEAR, None);
    client.tell([String::from("client")]);
    bus.detach(link);
    settled().await;
    assert!(nodes.iter().all(|node| node.heard().take().is_empty()));
}

#[tokio::test(start_paused = true)]
async fn links_that_know_peers_together_are_told_once() {
    let bus = bus();
    let together = Arc::new(Together::default());
    let take = || together.0.lock().unwrap().take();
    let (node, _) = ByHand::up(&bus.core, FAR, None);
    node.tell(names(500));
    let mut links = Vec::new();
    for _ in 0..30 {
        links.push(ByHand::up(&bus.core, NEAR, Some(&together)));
        settled().await;
    }
    assert_eq!(take().len(), 500, "not for each of them");
    node.inbound().peer_down(&id("peer-7"), life(1));
    settled().await;
    assert_eq!(take(), [(id("peer-7"), life(1), false)]);
    for (link, id) in &links {
        assert_eq!(link.heard().take(), []);
        bus.detach(*id);
    }
    // What goes meanwhile is known to be gone to who comes later.
    node.inbound().peer_down(&id("peer-8"), life(1));
    settled().await;
    assert_eq!(take(), [(id("peer-8"), life(1), false)]);
    let _later = ByHand::up(&bus.core, NEAR, Some(&together));
    settled().await;
    assert_eq!(take(), []);
    assert_eq!(together.0.lock().unwrap().known.len(), 498);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_the_bus_has_itself_is_told_of_no_other() {
    for remote in [life(1), life(LATEST)] {
        let bus = bus();
        let (node, _) = ByHand::up(&bus.core, FAR, None);
        let (near, _) = ByHand::up(&bus.core, NEAR, None);
        let p = id("p");
        node.inbound().peer_up(&p, remote).unwrap();
        settled().await;
        assert_eq!(near.heard().take(), [(p.clone(), remote, true)]);
        let options = PeerOptions::default().replace();
        let local = bus.peer_with("p", options).unwrap();
        let own = local.incarnation();
        settled().await;
        assert_eq!(near.heard().known.get(&p), Some(&own));
        let (later, _) = ByHand::up(&bus.core, NEAR, None);
        settled().await;
        near.heard().take();
        node.inbound().peer_down(&p, remote);
        settled().await;
        assert_eq!(near.heard().take(), [], "it is there");
        let mut told = later.heard().take();
        told.dedup();
        assert_eq!(told, [(p.clone(), own, true)]);
        // And it goes as all do.
        local.close(MAX_TELL_DELAY).await.unwrap();
        settled().await;
        assert_eq!(near.heard().known, BTreeMap::new());
        assert_eq!(later.heard().known, BTreeMap::new());
    }
}

#[tokio::test(start_paused = true)]
async fn another_of_the_name_is_told_of_when_that_of_the_bus_is_gone() {
    let bus = bus();
    let (node, _) = ByHand::up(&bus.core, FAR, None);
    let (near, _) = ByHand::up(&bus.core, NEAR, None);
    let p = id("p");
    node.inbound().peer_up(&p, life(1)).unwrap();
    let local = bus
        .peer_with("p", PeerOptions::default().replace())
        .unwrap();
    settled().await;
    local.close(MAX_TELL_DELAY).await.unwrap();
    settled().await;
    assert_eq!(near.heard().known.get(&p), Some(&life(1)));
}

#[tokio::test]
async fn names_beyond_the_limit_are_told_once_there_is_room() {
    let core = Arc::new(Core::new(BusOptions::default()));
    core.routes_mut(Routes::watch);
    let mut bridge = Bridge::new(3);
    let (node, _) = ByHand::up(&core, FAR, None);
    let (near, _) = ByHand::up(&core, NEAR, None);
    node.tell(names(5));
    bridge.round(&core, &mut Pace::default()).await;
    assert_eq!(near.heard().known.len(), 3);
    let gone = near.heard().known.keys().next().unwrap().clone();
    node.inbound().peer_down(&gone, life(1));
    near.heard().take();
    bridge.round(&core, &mut Pace::default()).await;
    assert_eq!(near.heard().take().len(), 2, "one for another");
    assert_eq!(near.heard().known.len(), 3);
    let left_out = &bridge.kinds[&NEAR].left_out;
    assert_eq!(left_out.len(), 1);
    // Who goes unheard leaves nothing behind.
    let last = left_out.first().unwrap().clone();
    node.inbound().peer_down(&last, life(1));
    bridge.round(&core, &mut Pace::default()).await;
    assert_eq!(near.heard().take(), []);
    assert_eq!(bridge.kinds[&NEAR].left_out, BTreeSet::new());
}

#[tokio::test]
async fn others_have_their_turn_between_bursts() {
    let core = Arc::new(Core::new(BusOptions::default()));
    core.routes_mut(Routes::watch);
    let mut bridge = Bridge::new(MAX_BRIDGED);
    let (node, _) = ByHand::up(&core, FAR, None);
    let (near, _) = ByHand::up(&core, NEAR, None);
    node.tell(names(10 * BURST));
    let mut pace = Pace::default();
    {
        let mut round = std::pin::pin!(bridge.round(&core, &mut pace));
        let mut turns = 0;
        let mut before = 0;
        while round.as_mut().now_or_never().is_none() {
            turns += 1;
            let told = near.heard().all.len();
            assert!(told - before <= BURST);
            before = told;
        }
        assert!(
            turns >= 20,
            "names are looked at for two kinds, and told to one"
        );
    }
    assert_eq!(near.heard().all.len(), 10 * BURST);
    // The more there was to do, the longer is the rest, up to a limit.
    assert!(pace.rest() > 5 * TELL_DELAY);
    assert_eq!(Pace(u32::MAX).rest(), MAX_TELL_DELAY);
    assert_eq!(Pace::default().rest(), TELL_DELAY);
    // What does not change is not looked at again.
    let mut pace = Pace::default();
    bridge.round(&core, &mut pace).await;
    assert_eq!(pace.0, 0);
}
