//! The last node, to which things are done.

use super::Cluster;
use crate::demo::{
    pending::Pending,
    process::{Failure, Process},
    protocol::Request,
};

impl Cluster {
    /// Lets all other nodes call the last one, which does not answer, and waits until it has all the calls.
    pub(in crate::demo) async fn hold_calls(&mut self) -> Result<Vec<Pending>, Failure> {
        let (last, to) = (self.last(), self.nodes[self.last()].name());
        let mut calls = Vec::new();
        for node in 0..last {
            calls.push(self.request(node, Request::Hold { to: to.clone() }).await);
        }
        let expected = format!("{last} calls that wait for an answer");
        let observer = self.nodes[last].observer();
        observer
            .until(&expected, observer.deadline(), |status| {
                status.view.holding == last
            })
            .await?;
        Ok(calls)
    }

    /// Lets all other nodes call the last one again, by the refs that they have.
    pub(in crate::demo) async fn call_last(&mut self) -> Vec<Pending> {
        let (last, to) = (self.last(), self.nodes[self.last()].name());
        let mut calls = Vec::new();
        for node in 0..last {
            let request = Request::Call {
                to: to.clone(),
                count: 1,
            };
            calls.push(self.request(node, request).await);
        }
        calls
    }

    /// The last node's process, to be killed. Its counter will begin anew.
    pub(in crate::demo) fn take_last(&mut self) -> Result<Process, Failure> {
        let last = self.last();
        self.sent.retain(|(_, to), _| *to != last);
        let process = self.nodes[last].take();
        process.ok_or_else(|| Failure::new("a process to kill", "none"))
    }

    /// The last node's process.
    #[cfg(unix)]
    pub(in crate::demo) fn last_process(&self) -> &Process {
        let last = self.last();
        self.nodes[last].process()
    }
}
