//! How datagrams travel: latency, loss, bursts of loss, partitions.

use crate::{
    rng::Rng,
    time::{MICROSECOND, Time},
};

/// Bytes of the IP and UDP headers, which count as traffic.
pub const HEADER_LEN: u64 = 28;

/// What all links have in common.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conditions {
    /// Shortest and longest time that a datagram takes; all between are as likely.
    pub latency: (Time, Time),
    /// Probability that a datagram is lost, independently of all others.
    pub loss: f64,
    /// Times of heavy loss at each receiver, on top.
    pub bursts: Option<Bursts>,
}

impl Conditions {
    /// A data centre: 0.2 to 2 ms, no loss.
    pub const LAN: Self = Self {
        latency: (200 * MICROSECOND, 2_000 * MICROSECOND),
        loss: 0.0,
        bursts: None,
    };

    /// [`LAN`](Self::LAN) that loses datagrams independently.
    pub const fn lossy(loss: f64) -> Self {
        Self { loss, ..Self::LAN }
    }
}

/// Loss after Gilbert and Elliott: each receiver's link is good or bad by turns, for times that are distributed
/// exponentially.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bursts {
    /// Mean length of the good times.
    pub good: Time,
    /// Mean length of the bad times.
    pub bad: Time,
    /// Probability of loss in bad times.
    pub loss: f64,
}

/// A probability as a share of 2³².
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Chance(u64);

impl Chance {
    fn new(probability: f64) -> Self {
        Self((probability.clamp(0.0, 1.0) * (1_u64 << 32) as f64) as u64)
    }

    #[inline]
    fn hits(self, rng: &mut Rng) -> bool {
        self.0 > 0 && (rng.bits() >> 32) < self.0
    }
}

/// What is special about a node's connection.
#[derive(Debug, Clone, Copy, Default)]
struct Site {
    /// Nodes of different groups do not reach each other.
    group: u8,
    send_loss: Chance,
    receive_loss: Chance,
    burst: Burst,
}

#[derive(Debug, Clone, Copy, Default)]
struct Burst {
    is_bad: bool,
    until: Time,
}

/// The network.
#[derive(Debug)]
pub struct Network {
    shortest: Time,
    spread: Time,
    loss: Chance,
    bursts: Option<Bursts>,
    sites: Vec<Site>,
    /// One-way loss of single links.
    links: Vec<(u32, u32, Chance)>,
    /// Whether no node and no link is special.
    is_uniform: bool,
}

impl Network {
    pub(crate) fn new(nodes: u32, conditions: Conditions) -> Self {
        let mut network = Self {
            shortest: 0,
            spread: 0,
            loss: Chance(0),
            bursts: None,
            sites: vec![Site::default(); nodes as usize],
            links: Vec::new(),
            is_uniform: true,
        };
        network.set_conditions(conditions);
        network
    }

    /// Changes what all links have in common.
    pub fn set_conditions(&mut self, conditions: Conditions) {
        let (shortest, longest) = conditions.latency;
        self.shortest = shortest;
        self.spread = longest.saturating_sub(shortest);
        self.loss = Chance::new(conditions.loss);
        self.bursts = conditions.bursts;
        self.find_uniform();
    }

    /// Adds loss to all that a node sends, and to all that it receives: one-way when they differ.
    pub fn set_node_loss(&mut self, node: u32, sent: f64, received: f64) {
        let site = &mut self.sites[node as usize];
        site.send_loss = Chance::new(sent);
        site.receive_loss = Chance::new(received);
        self.find_uniform();
    }

    /// Adds loss to what one node sends to another.
    pub fn set_link_loss(&mut self, from: u32, to: u32, loss: f64) {
        self.links.retain(|(a, b, _)| (*a, *b) != (from, to));
        self.links.push((from, to, Chance::new(loss)));
        self.find_uniform();
    }

    /// Puts a node into a group. Nodes of different groups do not reach each other; all begin in group 0.
    pub fn set_group(&mut self, node: u32, group: u8) {
        self.sites[node as usize].group = group;
        self.find_uniform();
    }

    fn find_uniform(&mut self) {
        let is_special = |site: &Site| {
            (site.group, site.send_loss, site.receive_loss) != (0, Chance(0), Chance(0))
        };
        self.is_uniform = self.bursts.is_none()
            && self.links.iter().all(|(_, _, loss)| *loss == Chance(0))
            && !self.sites.iter().any(is_special);
    }

    /// When a datagram that is sent now arrives; `None` when it is lost.
    #[inline]
    pub(crate) fn carry(&mut self, now: Time, from: u32, to: u32, rng: &mut Rng) -> Option<Time> {
        let bits = rng.bits();
        let is_lost =
            (bits >> 32) < self.loss.0 || !self.is_uniform && self.loses(now, from, to, rng);
        let latency = self.shortest + (((bits & 0xffff_ffff) * self.spread) >> 32);
        (!is_lost).then_some(now + latency)
    }

    /// Whether something special about the nodes or the link loses a datagram.
    fn loses(&mut self, now: Time, from: u32, to: u32, rng: &mut Rng) -> bool {
        if !self.reaches(from, to) || self.sites[from as usize].send_loss.hits(rng) {
            return true;
        }
        let link = self.links.iter().find(|(a, b, _)| (*a, *b) == (from, to));
        let receiver = &mut self.sites[to as usize];
        receiver.receive_loss.hits(rng)
            || link.is_some_and(|(_, _, loss)| loss.hits(rng))
            || self
                .bursts
                .is_some_and(|bursts| receiver.burst.loses(now, bursts, rng))
    }

    /// Whether no partition and no severed direction is between two nodes: what a reliable channel needs.
    pub(crate) fn reaches(&self, from: u32, to: u32) -> bool {
        const ALL: Chance = Chance(1 << 32);
        let (sender, receiver) = (&self.sites[from as usize], &self.sites[to as usize]);
        sender.group == receiver.group && sender.send_loss != ALL && receiver.receive_loss != ALL
    }

    /// How long an exchange over a reliable channel takes: to there and back, `turns` times.
    pub(crate) fn round_trips(&self, turns: u64, rng: &mut Rng) -> Time {
        let one_way = |rng: &mut Rng| self.shortest + rng.below(self.spread + 1);
        (0..turns * 2).map(|_| one_way(rng)).sum()
    }
}

impl Burst {
    fn loses(&mut self, now: Time, bursts: Bursts, rng: &mut Rng) -> bool {
        if self.until == 0 {
            // The first look finds the link somewhere in its cycle.
            let bad = bursts.bad as f64 / (bursts.good + bursts.bad).max(1) as f64;
            self.is_bad = rng.unit() < bad;
            self.until = now;
            self.extend(bursts, rng);
        }
        while self.until <= now {
            self.is_bad = !self.is_bad;
            self.extend(bursts, rng);
        }
        self.is_bad && Chance::new(bursts.loss).hits(rng)
    }

    fn extend(&mut self, bursts: Bursts, rng: &mut Rng) {
        let mean = if self.is_bad { bursts.bad } else { bursts.good };
        let length = -(1.0 - rng.unit()).ln() * mean as f64;
        self.until += (length as Time).max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::MILLISECOND;

    fn lost(network: &mut Network, from: u32, to: u32) -> f64 {
        let mut rng = Rng::new(3);
        let times = 100_000;
        let lost = (1..=times)
            .filter(|i| network.carry(i * MILLISECOND, from, to, &mut rng).is_none())
            .count();
        lost as f64 / times as f64
    }

    #[test]
    fn independent_loss_is_the_share_asked_for() {
        let mut network = Network::new(2, Conditions::lossy(0.1));
        assert!((lost(&mut network, 0, 1) - 0.1).abs() < 0.005);
    }

    #[test]
    fn loss_can_be_one_way() {
        let mut network = Network::new(3, Conditions::LAN);
        network.set_node_loss(0, 0.5, 0.0);
        network.set_link_loss(1, 2, 1.0);
        assert!((lost(&mut network, 0, 1) - 0.5).abs() < 0.01);
        assert_eq!(lost(&mut network, 1, 0), 0.0);
        assert_eq!(lost(&mut network, 1, 2), 1.0);
        assert_eq!(lost(&mut network, 2, 1), 0.0);
    }

    #[test]
    fn groups_do_not_reach_each_other() {
        let mut network = Network::new(3, Conditions::LAN);
        network.set_group(2, 1);
        assert_eq!(lost(&mut network, 0, 2), 1.0);
        assert_eq!(lost(&mut network, 0, 1), 0.0);
        network.set_group(2, 0);
        assert_eq!(lost(&mut network, 0, 2), 0.0);
    }

    #[test]
    fn bursts_lose_their_share_of_the_time() {
        let bursts = Some(Bursts {
            good: 900 * MILLISECOND,
            bad: 100 * MILLISECOND,
            loss: 0.8,
        });
        let conditions = Conditions {
            bursts,
            ..Conditions::LAN
        };
        let share = lost(&mut Network::new(2, conditions), 0, 1);
        assert!((share - 0.08).abs() < 0.02, "{share}");
    }

    #[test]
    fn latency_spreads_over_its_range() {
        let mut network = Network::new(2, Conditions::LAN);
        let mut rng = Rng::new(5);
        let latencies =
            Vec::from_iter((0..10_000).filter_map(|_| network.carry(0, 0, 1, &mut rng)));
        let (least, most) = (latencies.iter().min(), latencies.iter().max());
        assert_eq!(latencies.len(), 10_000);
        assert!((200_000..210_000).contains(least.unwrap()));
        assert!((1_990_000..=2_000_000).contains(most.unwrap()));
    }
}
