//! What holds whatever is sent.
#![allow(clippy::unwrap_used, reason = "support code of tests")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use proptest::prelude::*;
use shiome_bus::{
    Bus, BusOptions, DropReason, Intent, Level, LinkOptions, MAX_HOPS, Name, Pattern, Peer,
    Priority, SendOptions, Subscription,
    memory::{Conditions, MemoryLink},
};
use tokio::runtime::Builder;

const SOON: Duration = Duration::from_secs(60);

fn paused<T>(program: impl Future<Output = T>) -> T {
    let mut builder = Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().unwrap();
    runtime.block_on(program)
}

const NAMES: [&str; 4] = ["a", "a.b", "a.c", "b.c"];
const PATTERNS: [&str; 6] = ["a", "a.b", "*", "a.*", "*.c", ">"];

#[derive(Debug, Clone)]
enum Step {
    On { pattern: usize, once: bool },
    Off { pattern: usize },
    Cancel { handler: usize },
    Send { name: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pattern = 0..PATTERNS.len();
    let step = prop_oneof![
        3 => (pattern.clone(), any::<bool>()).prop_map(|(pattern, once)| Step::On { pattern, once }),
        1 => pattern.prop_map(|pattern| Step::Off { pattern }),
        1 => (0..20_usize).prop_map(|handler| Step::Cancel { handler }),
        4 => (0..NAMES.len()).prop_map(|name| Step::Send { name }),
    ];
    prop::collection::vec(step, 0..40)
}

/// Handlers as a list: number, pattern, and whether they run once.
#[derive(Default)]
struct Model(Vec<(usize, usize, bool)>);

impl Model {
    fn sent(&mut self, name: &str) -> Vec<usize> {
        let name = Name::new(name).unwrap();
        let matches = |pattern: usize| Pattern::new(PATTERNS[pattern]).unwrap().matches(&name);
        let ran = self.0.iter().filter(|(_, pattern, _)| matches(*pattern));
        let ran: Vec<_> = ran.map(|(number, ..)| *number).collect();
        self.0
            .retain(|(_, pattern, once)| !(*once && matches(*pattern)));
        ran
    }
}

async fn handlers_are_as_in_the_model(steps: Vec<Step>) {
    let bus = Bus::new();
    let (from, to) = (bus.peer("from").unwrap(), bus.peer("to").unwrap());
    let (ran, mut model) = (Arc::new(Mutex::new(Vec::new())), Model::default());
    let mut kept: Vec<Option<Subscription>> = Vec::new();
    for step in steps {
        match step {
            Step::On { pattern, once } => {
                let (number, ran) = (kept.len(), ran.clone());
                let handler = move |_: &_| ran.lock().unwrap().push(number);
                let subscription = match once {
                    true => to.once(PATTERNS[pattern], handler),
                    false => to.on(PATTERNS[pattern], handler),
                };
                kept.push(Some(subscription.unwrap()));
                model.0.push((number, pattern, once));
            }
            Step::Off { pattern } => {
                let before = model.0.len();
                model.0.retain(|(_, of, _)| *of != pattern);
                assert_eq!(to.off(PATTERNS[pattern]), before - model.0.len());
            }
            Step::Cancel { handler } => {
                let there = model.0.iter().any(|(number, ..)| *number == handler);
                model.0.retain(|(number, ..)| *number != handler);
                if let Some(subscription) = kept.get_mut(handler).and_then(Option::take) {
                    assert_eq!(subscription.is_active(), there);
                    assert_eq!(subscription.cancel(), there);
                }
            }
            Step::Send { name } => {
                let handled = SendOptions::default().level(Level::Handled);
                let intent = Intent::new(NAMES[name], ()).unwrap();
                let sent = from.send_with("to", intent, handled).await;
                let wanted = model.sent(NAMES[name]);
                assert_eq!(sent.is_ok(), !wanted.is_empty());
                assert_eq!(*ran.lock().unwrap(), wanted);
                ran.lock().unwrap().clear();
            }
        }
    }
    assert_eq!(bus.stats().total_callbacks, model.0.len());
}

/// What a peer got, by sender and priority.
type Got = Arc<Mutex<BTreeMap<(String, Priority), Vec<u64>>>>;

fn collects(peer: &Peer) -> Got {
    let got = Got::default();
    let all = got.clone();
    let collect = peer.on("x", move |delivery| {
        let key = (delivery.from().to_string(), delivery.envelope().priority);
        let number = delivery.parse::<u64>().unwrap();
        all.lock().unwrap().entry(key).or_default().push(number);
    });
    collect.unwrap().detach();
    got
}

/// Two buses with three senders on one side, and what two receivers on the other side got of all that was sent.
async fn sent_over(conditions: Conditions, sends: Vec<(usize, usize, bool)>) -> Vec<Got> {
    let (here, there) = (Bus::new(), Bus::new());
    let senders = ["s0", "s1", "s2"].map(|id| here.peer(id).unwrap());
    let receivers = ["r0", "r1"].map(|id| there.peer(id).unwrap());
    let got: Vec<_> = receivers.iter().map(collects).collect();
    let link = MemoryLink::new().conditions(conditions);
    link.connect(&here, &there).unwrap();
    for receiver in &receivers {
        senders[0].wait_for(receiver.id(), SOON).await.unwrap();
    }
    for (number, (sender, receiver, bulk)) in sends.into_iter().enumerate() {
        let priority = if bulk {
            Priority::Bulk
        } else {
            Priority::Normal
        };
        let options = SendOptions::default().priority(priority);
        let intent = Intent::new("x", number).unwrap();
        let to = receivers[receiver].id();
        let sent = senders[sender].send_with(to, intent, options).await;
        sent.unwrap();
    }
    here.close(SOON).await.unwrap();
    there.close(SOON).await.unwrap();
    got
}

fn sends() -> impl Strategy<Value = Vec<(usize, usize, bool)>> {
    prop::collection::vec((0..3_usize, 0..2_usize, any::<bool>()), 0..200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn handlers_run_as_a_list_would_have_them(steps in steps()) {
        paused(handlers_are_as_in_the_model(steps));
    }

    #[test]
    fn a_pair_keeps_its_order_and_loses_nothing(sends in sends()) {
        let latency = Conditions::default().latency(Duration::from_millis(20)).capacity(8);
        let got = paused(sent_over(latency, sends.clone()));
        let mut wanted = [BTreeMap::<_, Vec<u64>>::new(), BTreeMap::new()];
        for (number, (sender, receiver, bulk)) in sends.into_iter().enumerate() {
            let priority = if bulk { Priority::Bulk } else { Priority::Normal };
            wanted[receiver].entry((format!("s{sender}"), priority)).or_default().push(number as u64);
        }
        for (got, wanted) in got.iter().zip(wanted) {
            prop_assert_eq!(&*got.lock().unwrap(), &wanted);
        }
    }

    #[test]
    fn what_is_lost_and_doubled_still_comes_in_order_and_once(sends in sends(), seed: u64) {
        let faults = Conditions::default().loss(0.2).duplicates(0.3).seed(seed);
        for got in paused(sent_over(faults, sends)) {
            for numbers in got.lock().unwrap().values() {
                prop_assert!(numbers.is_sorted_by(|a, b| a < b), "{:?}", numbers);
            }
        }
    }

    #[test]
    fn nothing_comes_twice_in_whatever_order(sends in sends(), seed: u64) {
        let faults = Conditions::default().duplicates(0.4).reorder(0.4).seed(seed);
        let count = sends.len();
        let mut numbers = Vec::new();
        for got in paused(sent_over(faults, sends)) {
            numbers.extend(got.lock().unwrap().values().flatten().copied());
        }
        let different: BTreeSet<_> = numbers.iter().collect();
        prop_assert_eq!((different.len(), numbers.len()), (count, count));
    }

    /// Relays in a ring, each of which sends on whatever it does not know.
    #[test]
    fn what_nobody_takes_dies_out_in_a_ring(relays in 2_usize..14, senders in 1_usize..4) {
        paused(async move {
            let options = BusOptions::default().relay();
            let buses: Vec<_> = (0..relays).map(|_| Bus::with(options.clone())).collect();
            for (place, bus) in buses.iter().enumerate() {
                let next = &buses[(place + 1) % relays];
                let link = MemoryLink::new().options(LinkOptions::default().uplink(), LinkOptions::default());
                link.connect(bus, next).unwrap();
            }
            for number in 0..senders {
                let peer = buses[number % relays].peer(format!("s{number}")).unwrap();
                peer.send("nobody", Intent::new("x", ()).unwrap()).await.unwrap();
                peer.close(SOON).await.unwrap();
            }
            tokio::time::sleep(SOON).await;
            let sent = || buses.iter().flat_map(Bus::links).map(|(_, stats)| stats.messages_sent).sum::<u64>();
            let after = sent();
            let most = senders as u64 * (u64::from(MAX_HOPS) + 1);
            assert!((1..=most).contains(&after), "{after} of {most}");
            let ends = [DropReason::TooManyHops, DropReason::Duplicate, DropReason::Echo, DropReason::NodeNotFound];
            let dropped: u64 = buses.iter().flat_map(|bus| ends.map(|reason| bus.dropped(reason))).sum();
            assert_eq!(dropped, senders as u64);
            // Nothing is under way any longer.
            tokio::time::sleep(SOON).await;
            assert_eq!(sent(), after);
        });
    }
}
