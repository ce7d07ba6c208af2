//! The nodes of the demo together.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    ops::Range,
    time::{Duration, Instant},
};

use super::{
    node::{self, Node},
    pending::Pending,
    process::{Failure, Status},
    promise::Patience,
    protocol::{Answer, Request, Role},
};

mod last;

/// Casts from one node to another, a round.
const CASTS: u64 = 1000;

/// Calls from one node to another, a round.
const CALLS: usize = 100;

/// All nodes. The first is the seed of the others, the last the one that is killed.
pub(super) struct Cluster {
    nodes: Vec<Node>,
    log: String,
    patience: Patience,
    /// Where the first node serves its dashboard.
    dashboard: Option<SocketAddr>,
    /// Casts that must have been counted, by sender and receiver.
    sent: BTreeMap<(usize, usize), u64>,
}

impl Cluster {
    /// These nodes, none running.
    pub(super) fn new(
        nodes: Vec<Node>,
        patience: Patience,
        dashboard: Option<SocketAddr>,
        log: &str,
    ) -> Self {
        Self {
            nodes,
            log: log.to_owned(),
            patience,
            dashboard,
            sent: BTreeMap::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn patience(&self) -> Patience {
        self.patience
    }

    /// The node that is killed.
    pub(super) fn last(&self) -> usize {
        self.nodes.len() - 1
    }

    /// All ordered pairs of these nodes.
    pub(super) fn pairs(nodes: Range<usize>) -> Vec<(usize, usize)> {
        let tos = |from| nodes.clone().map(move |to| (from, to));
        let pairs = nodes.clone().flat_map(tos);
        pairs.filter(|(from, to)| from != to).collect()
    }

    /// These nodes in words.
    pub(super) fn labels(&self, nodes: Range<usize>) -> String {
        let labels: Vec<_> = self.nodes[nodes].iter().map(|n| n.label).collect();
        match labels.as_slice() {
            [] => "nobody".to_owned(),
            [one] => one.to_string(),
            [one, two] => format!("{one} and {two}"),
            [one, two, three] => format!("{one}, {two} and {three}"),
            [first, .., last] => format!("{first} to {last}"),
        }
    }

    /// Starts these nodes, and waits until they listen. A node that has run before gets its port again. All but the
    /// first, which is up before them, are told where the first is, and nothing else.
    pub(super) async fn start(&mut self, nodes: Range<usize>) -> Result<(), Failure> {
        let first = nodes.start == 0;
        let seeds = match self.nodes[0].address {
            _ if first => Vec::new(),
            address => vec![address],
        };
        let dashboard = self.dashboard.filter(|_| first);
        let nodes = &mut self.nodes[nodes];
        for node in &mut *nodes {
            let seeds = seeds.clone();
            let role = Role::Member { seeds, dashboard };
            node.start(&self.log, role).await?;
        }
        for node in nodes {
            node.listening().await?;
        }
        Ok(())
    }

    /// Where browsers find the dashboard of the first node, if it has one.
    pub(super) fn dashboard(&self) -> Option<String> {
        self.nodes[0].observer().dashboard()
    }

    /// The ports that these nodes listen on.
    pub(super) fn ports(&self, nodes: Range<usize>) -> Vec<u16> {
        self.nodes[nodes].iter().map(|n| n.address.port()).collect()
    }

    /// Waits until gossip tells each of these nodes of all others of them, and of nobody else.
    pub(super) async fn see_members(
        &self,
        nodes: Range<usize>,
        patience: Duration,
    ) -> Result<(), Failure> {
        let there: BTreeSet<_> = self.nodes[nodes.clone()]
            .iter()
            .map(|n| n.address)
            .collect();
        let expected = format!("{} members", there.len() - 1);
        self.see(nodes, &expected, patience, |node, status| {
            let mut others = there.clone();
            others.remove(&node.address);
            status.view.members == others
        })
        .await
    }

    /// Waits until each of these nodes has a session with all others of them, and with nobody else.
    pub(super) async fn see_sessions(
        &self,
        nodes: Range<usize>,
        patience: Duration,
    ) -> Result<(), Failure> {
        let names = self.names(nodes.clone());
        let expected = format!("sessions with all others of [{}]", join(&names));
        self.see(nodes, &expected, patience, |node, status| {
            let mut others = names.clone();
            others.remove(&node.name());
            status.view.peers == others
        })
        .await
    }

    /// Checks that each of these nodes has TLS on its sessions with all others of them; how many nodes there are.
    pub(super) async fn expect_encrypted(&mut self, nodes: Range<usize>) -> Result<usize, Failure> {
        let others = nodes.len().saturating_sub(1) as u64;
        for node in nodes.clone() {
            let expected = format!("TLS on {others} sessions");
            let all = |answer| match answer {
                Answer::Counted(count) if count == others => Ok(()),
                other => Err(other),
            };
            let request = self.request(node, Request::Encrypted).await;
            request.answer(&expected, all).await?;
        }
        Ok(nodes.len())
    }

    /// Waits until each of these nodes has all their counters in the group, and no other.
    pub(super) async fn see_counters(
        &self,
        nodes: Range<usize>,
        patience: Duration,
    ) -> Result<(), Failure> {
        let names = self.names(nodes.clone());
        let expected = format!("counters [{}]", join(&names));
        self.see(nodes, &expected, patience, |_, status| {
            status.view.counters == names
        })
        .await
    }

    /// Waits until this holds for each of these nodes, so long for all of them together.
    async fn see(
        &self,
        nodes: Range<usize>,
        expected: &str,
        patience: Duration,
        holds: impl Fn(&Node, &Status) -> bool,
    ) -> Result<(), Failure> {
        let began = Instant::now();
        for node in &self.nodes[nodes] {
            let left = patience.saturating_sub(began.elapsed());
            (node.observer())
                .until(expected, left, |status| holds(node, status))
                .await?;
        }
        Ok(())
    }

    /// Sends casts for each pair, all at the same time, and checks that just those have been counted. Tells how many
    /// there were.
    pub(super) async fn cast(&mut self, pairs: Vec<(usize, usize)>) -> Result<u64, Failure> {
        let casts = CASTS * pairs.len() as u64;
        let mut rounds = Vec::new();
        for (from, to) in pairs {
            let sent = self.sent.entry((from, to)).or_default();
            *sent += CASTS;
            let sent = *sent;
            let request = Request::Cast {
                to: self.nodes[to].name(),
                count: CASTS,
            };
            let expected = format!("{sent} counted at {}", self.nodes[to].label);
            rounds.push((self.request(from, request).await, sent, expected));
        }
        for (round, sent, expected) in rounds {
            let exact = |answer| match answer {
                Answer::Counted(count) if count == sent => Ok(()),
                other => Err(other),
            };
            round.answer(&expected, exact).await?;
        }
        Ok(casts)
    }

    /// Calls for each pair, all at the same time, and checks that each answer is the number of casts that the callee has
    /// been sent. Tells how many calls there were, and the median time of one, in microseconds.
    pub(super) async fn call(
        &mut self,
        pairs: Vec<(usize, usize)>,
    ) -> Result<(usize, u64), Failure> {
        let calls = CALLS * pairs.len();
        let mut rounds = Vec::new();
        for (from, to) in pairs {
            let counts = self
                .sent
                .iter()
                .filter(|((_, receiver), _)| *receiver == to);
            let total: u64 = counts.map(|(_, count)| count).sum();
            let request = Request::Call {
                to: self.nodes[to].name(),
                count: CALLS,
            };
            let label = self.nodes[to].label;
            let expected = format!("{CALLS} answers of {total} from {label}");
            rounds.push((self.request(from, request).await, total, expected));
        }
        let mut medians = Vec::new();
        for (round, total, expected) in rounds {
            let exact = |answer| match answer {
                Answer::Totals { totals, median_us } if totals == [total; CALLS] => Ok(median_us),
                other => Err(other),
            };
            medians.push(round.answer(&expected, exact).await?);
        }
        medians.sort_unstable();
        let median = medians.get(medians.len() / 2).copied();
        Ok((calls, median.unwrap_or_default()))
    }

    /// Ends all nodes at the same time, as they would on a signal.
    pub(super) async fn stop(&mut self) -> Result<(), Failure> {
        node::stop(&mut self.nodes).await
    }

    /// Kills what still runs.
    pub(super) async fn kill_all(&mut self) {
        for node in &mut self.nodes {
            node.kill().await;
        }
    }

    fn names(&self, nodes: Range<usize>) -> BTreeSet<String> {
        self.nodes[nodes].iter().map(Node::name).collect()
    }

    async fn request(&mut self, node: usize, request: Request) -> Pending {
        self.nodes[node].request(request).await
    }
}

/// Names in one line.
pub(super) fn join(names: &BTreeSet<String>) -> String {
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    names.join(", ")
}
