use std::net::{Ipv4Addr, SocketAddr};

use super::{
    pending::Pending,
    process::{Failure, Observer, Process},
    promise::Patience,
    protocol::{Request, Role, Secrets, Setup},
};

/// A node, whether it runs or not.
pub(super) struct Node {
    pub(super) label: char,
    secrets: Secrets,
    patience: Patience,
    /// Where it listens. If at any port, it is 0 until the node has run.
    pub(super) address: SocketAddr,
    process: Option<Process>,
}

impl Node {
    /// Listens at this port, or at any that is free for 0.
    pub(super) fn new(label: char, secrets: Secrets, port: u16, patience: Patience) -> Self {
        Self {
            label,
            secrets,
            patience,
            address: (Ipv4Addr::LOCALHOST, port).into(),
            process: None,
        }
    }

    /// The full name, `name@host`.
    pub(super) fn name(&self) -> String {
        format!("{}@{}", self.label, self.address.ip())
    }

    /// Starts its process. One that has run before gets its port again.
    pub(super) async fn start(&mut self, log: &str, role: Role) -> Result<(), Failure> {
        let setup = Setup {
            address: format!("{}:{}", self.name(), self.address.port()),
            secrets: self.secrets.clone(),
            role,
            patience: self.patience,
        };
        let started = Process::start(self.label, &setup, log).await;
        let process = started
            .map_err(|error| Failure::new(format!("{} runs", self.label), error.to_string()))?;
        self.process = Some(process);
        Ok(())
    }

    /// Waits until it listens.
    pub(super) async fn listening(&mut self) -> Result<(), Failure> {
        let listening = |address: Option<SocketAddr>| match (address, self.address.port()) {
            (Some(_), 0) => true,
            (address, _) => address == Some(self.address),
        };
        let expected = format!("listens on port {}", self.address.port());
        let status = (self.observer())
            .until(&expected, self.patience.deadline(), |status| {
                listening(status.address)
            })
            .await?;
        self.address = status.address.unwrap_or(self.address);
        Ok(())
    }

    /// Asks it to do something.
    pub(super) async fn request(&mut self, request: Request) -> Pending {
        let process = self.process.as_mut();
        let process = process.expect("steps use the nodes that earlier steps have started");
        process.request(request).await
    }

    #[cfg(unix)]
    pub(super) fn process(&self) -> &Process {
        let process = self.process.as_ref();
        process.expect("steps use the nodes that earlier steps have started")
    }

    pub(super) fn observer(&self) -> &Observer {
        let process = self.process.as_ref();
        &process
            .expect("steps use the nodes that earlier steps have started")
            .observer
    }

    /// Its process, to be ended.
    pub(super) fn take(&mut self) -> Option<Process> {
        self.process.take()
    }

    /// Kills its process, if it runs.
    pub(super) async fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended by itself.
            let _ = process.kill().await;
        }
    }
}

/// Ends these nodes at the same time, as they would on a signal.
pub(super) async fn stop(nodes: impl IntoIterator<Item = &mut Node>) -> Result<(), Failure> {
    let running = nodes.into_iter();
    let mut running: Vec<_> = running.filter_map(Node::take).collect();
    running.iter_mut().for_each(Process::ask_to_stop);
    for process in &mut running {
        let label = process.observer.label;
        let expected = format!("{label} stops with exit code 0");
        let status = process.exit(&expected).await?;
        if !status.success() {
            return Err(Failure::new(expected, status.to_string()));
        }
    }
    Ok(())
}
