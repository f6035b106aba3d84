//! Workers at work.

use feedmill_service::{Health, Shutdown, nats};
use projector::{
    instance::{Lease, Orders},
    projection::{Context, Projection},
    worker::{Job, Worker},
};
use tokio::{sync::watch, task::JoinHandle};

use super::database::Database;

pub struct Running {
    pub health: Health,
    shutdown: Shutdown,
    task: JoinHandle<()>,
}

impl Running {
    pub async fn start(
        projection: &'static Projection,
        context: Context,
        database: &Database,
        nats_url: &str,
    ) -> Self {
        Self::make(projection, context, Lease::eternal(), database, nats_url).await
    }

    pub async fn with_lease(
        projection: &'static Projection,
        lease: Lease,
        database: &Database,
        nats_url: &str,
    ) -> Self {
        Self::make(projection, Context::default(), lease, database, nats_url).await
    }

    async fn make(
        projection: &'static Projection,
        context: Context,
        lease: Lease,
        database: &Database,
        nats_url: &str,
    ) -> Self {
        let (health, shutdown) = (Health::new(), Shutdown::new());
        let worker = Worker::new(Job {
            projection,
            context,
            orders: watch::Sender::new(Orders::everything()).subscribe(),
            lease,
            pool: database.pool(projection),
            nats: nats::connect(nats_url, "projector").await,
            health: health.clone(),
            shutdown: shutdown.clone(),
        });
        Self {
            health,
            shutdown,
            task: tokio::spawn(worker.run()),
        }
    }

    /// Ends it as SIGTERM does.
    pub async fn stop(self) {
        self.shutdown.soft.cancel();
        self.task.await.unwrap();
    }
}
