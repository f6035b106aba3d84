//! Workers at work.

use feedmill_service::{Health, Shutdown, nats};
use projector::{
    instance::{Lease, Orders},
    projection::{Context, Definition},
    store::{self, Store},
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
        projection: &'static Definition,
        context: Context,
        database: &Database,
        nats_url: &str,
    ) -> Self {
        let orders = watch::Sender::new(Orders::everything()).subscribe();
        let at = (database, nats_url);
        Self::make(projection, context, Lease::eternal(), orders, at).await
    }

    /// One that is told which partitions to move.
    pub async fn with_orders(
        projection: &'static Definition,
        orders: watch::Receiver<Orders>,
        database: &Database,
        nats_url: &str,
    ) -> Self {
        let (context, at) = (Context::default(), (database, nats_url));
        Self::make(projection, context, Lease::eternal(), orders, at).await
    }

    pub async fn with_lease(
        projection: &'static Definition,
        lease: Lease,
        database: &Database,
        nats_url: &str,
    ) -> Self {
        let orders = watch::Sender::new(Orders::everything()).subscribe();
        let (context, at) = (Context::default(), (database, nats_url));
        Self::make(projection, context, lease, orders, at).await
    }

    async fn make(
        projection: &'static Definition,
        context: Context,
        lease: Lease,
        orders: watch::Receiver<Orders>,
        (database, nats_url): (&Database, &str),
    ) -> Self {
        let (health, shutdown) = (Health::new(), Shutdown::new());
        let worker = Worker::new(Job {
            projection,
            context,
            orders,
            lease,
            store: Store::new(store::options(&database.url, projection).unwrap()),
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
