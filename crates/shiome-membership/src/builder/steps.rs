//! Steps of a start.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use rand::random;
use shiome_gossip::NodeId;
use shiome_swim::{Config, ConfigError, Swim};
use tokio::{
    net::TcpListener,
    task::{JoinSet, spawn_blocking},
};

use super::Builder;
use crate::{
    error::StartError,
    identity::Identity,
    reliable,
    security::Protection,
    shared::{Shared, now},
    socket::Reach,
};

impl Builder {
    pub(super) fn context(&self, identity: &Identity, cluster: u64) -> reliable::Context {
        let (me, epoch) = (identity.id, identity.epoch);
        // Only a directory knows that an epoch is above the former ones, whatever the clock says. Without one, each run
        // is a sender of its own, or a clock that was set back would make this node deaf to all.
        let sender = match identity.recorder {
            Some(_) => me,
            None => NodeId::from(random::<[u8; NodeId::LEN]>()),
        };
        let protection = Protection::new(&self.security, cluster, &sender, epoch);
        reliable::Context {
            cluster,
            me,
            protection: Arc::new(protection),
        }
    }

    pub(super) fn shared(
        &self,
        identity: &Identity,
        addr: SocketAddr,
        config: &Config,
        context: &reliable::Context,
        reach: Reach,
    ) -> Result<Arc<Shared>, ConfigError> {
        let me = shiome_swim::Identity {
            id: identity.id,
            addr,
            incarnation: identity.incarnation,
        };
        let engine = Swim::new(now(), me, config.clone(), random())?;
        let name = match &self.cluster {
            Some(name) => name.as_str().into(),
            None => format!("{:016x}", config.cluster).into(),
        };
        let protection = Arc::clone(&context.protection);
        Ok(Arc::new(Shared::new(engine, protection, reach, name)))
    }
}

/// What runs beside the driver, and ends with it.
pub(super) fn side_tasks(
    shared: &Arc<Shared>,
    context: &reliable::Context,
    listener: Option<TcpListener>,
    discovery: impl Future<Output = ()> + Send + 'static,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(discovery);
    if let Some(listener) = listener {
        let listener = reliable::Listener {
            listener,
            context: context.clone(),
            counters: Arc::clone(&shared.counters),
        };
        tasks.spawn(listener.run());
    }
    #[cfg(feature = "metrics")]
    tasks.spawn(crate::metrics::run(Arc::clone(shared)));
    tasks
}

pub(super) async fn identity(
    dir: Option<PathBuf>,
    given: Option<NodeId>,
) -> Result<Identity, StartError> {
    let Some(dir) = dir else {
        return Ok(Identity::fresh(given));
    };
    let read = spawn_blocking(move || Identity::from_dir(dir, given));
    Ok(read
        .await
        .expect("reading the directory does not panic, nor is it aborted")?)
}
