//! One direction between two nodes.

use std::time::{Duration, Instant};

use super::node::{Answer, Node};

/// A node that sends and one that receives.
pub(crate) struct Way<'a> {
    pub(crate) from: &'a mut Node,
    pub(crate) to: &'a mut Node,
    pub(crate) from_ours: bool,
}

impl Way<'_> {
    /// Whether the sender is a node of ours, and so has to do better than the published ones.
    pub(crate) fn sender_is_shiome(&self) -> bool {
        !self.from.kind.is_published()
    }

    /// Whether both are nodes of ours, and say more to each other than published ones understand.
    pub(crate) fn is_native(&self) -> bool {
        !self.from.kind.is_published() && !self.to.kind.is_published()
    }

    /// The other direction.
    pub(crate) fn back(&mut self) -> Way<'_> {
        Way {
            from: self.to,
            to: self.from,
            from_ours: !self.from_ours,
        }
    }

    /// Gives the commands of the check from now on so much time together.
    pub(crate) fn allow(&mut self, time: Duration) {
        self.from.allow(time);
        self.to.allow(time);
    }

    /// A cast arrives and a call is answered.
    ///
    /// # Errors
    ///
    /// What to tell when not.
    pub(crate) fn talk(&mut self) -> Result<(), String> {
        self.to.ask("clear")?;
        self.from.ask("cast - inbox hello")?;
        self.to.expect("wait-received 1 30000", "1 hello")?;
        self.from.expect("call - inbox hello 30000", "hello")
    }

    /// An actor of the receiver that only the sender's `@group` refers to. Returns its pid at the receiver.
    ///
    /// # Errors
    ///
    /// What to tell when the reference does not come about.
    pub(crate) fn reference(&mut self, group: &str) -> Result<String, String> {
        let pid = self.to.ask("spawn -")?;
        self.to.ask(&format!("join - {group} {pid}"))?;
        self.from.ask(&format!("wait-members - {group} 1 30000"))?;
        let held = self.from.ask(&format!("hold-ref - {group} {group}"))?;
        if held.rsplit('.').next() == Some(&pid) {
            Ok(pid)
        } else {
            Err(format!("the reference to {pid} is {held}"))
        }
    }

    /// What the sender answers, and after how long.
    ///
    /// # Errors
    ///
    /// What to tell when no answer came in time.
    pub(crate) fn timed(&mut self, command: &str) -> Result<(Answer, Duration), String> {
        let start = Instant::now();
        let answer = self.from.try_ask(command)?;
        Ok((answer, start.elapsed()))
    }

    /// How many actors of the receiver the sender's session has, and which.
    ///
    /// # Errors
    ///
    /// What to tell when there is no session.
    pub(crate) fn children(&mut self) -> Result<Children, String> {
        let answer = self.from.ask("children")?;
        Children::parse(&answer, &self.to.name)
            .ok_or_else(|| format!("no session with {} in {answer:?}", self.to.name))
    }
}

/// The remote actors that one session supervises.
#[derive(Debug, Clone)]
pub(crate) struct Children {
    pub(crate) count: usize,
    pids: Vec<String>,
    /// Those with a name of their own.
    pub(crate) named: usize,
}

impl Children {
    /// Reads the part about `peer` in the answer to `children`.
    pub(crate) fn parse(answer: &str, peer: &str) -> Option<Self> {
        let mut sessions = answer.split(' ').map(|session| session.splitn(3, '|'));
        let mut parts = sessions.find(|parts| parts.clone().next() == Some(peer))?;
        let (_, count, ids) = (parts.next()?, parts.next()?, parts.next()?);
        let ids: Vec<_> = ids.split(',').filter(|id| !id.is_empty()).collect();
        Some(Self {
            count: count.parse().ok()?,
            named: ids.iter().filter(|id| id.contains('=')).count(),
            pids: ids
                .iter()
                .map(|id| id.split('=').next().unwrap_or_default().to_owned())
                .collect(),
        })
    }

    pub(crate) fn has(&self, pid: &str) -> bool {
        self.pids.iter().any(|p| p == pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_of_one_session_are_read() {
        let answer = "a@h|3|4,5=name,9 b@h|0| b@h2|1|7";
        let a = Children::parse(answer, "a@h").unwrap();
        assert_eq!((a.count, a.named), (3, 1));
        assert!(a.has("4") && a.has("5") && !a.has("7"));
        assert_eq!(Children::parse(answer, "b@h").unwrap().count, 0);
        assert!(Children::parse(answer, "c@h").is_none());
        assert!(Children::parse("", "a@h").is_none());
    }
}
