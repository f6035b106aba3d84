//! Workers in the test's process.

use feedmill_service::{Health, NatsArgs, Shutdown, nats};
use feedmill_tests::kit::{announcement_key, event_key};
use projector::{
    announce::Announcer,
    connection::{self, LazyConnection},
    instance::{Assignment, Lease},
    projection::{Context, Definition},
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
        let assignment = watch::Sender::new(Assignment::all()).subscribe();
        let at = (database, nats_url);
        Self::make(projection, context, Lease::eternal(), assignment, at).await
    }

    /// A worker with an assignment that the test changes.
    pub async fn with_assignment(
        projection: &'static Definition,
        assignment: watch::Receiver<Assignment>,
        database: &Database,
        nats_url: &str,
    ) -> Self {
        let (context, at) = (Context::default(), (database, nats_url));
        Self::make(projection, context, Lease::eternal(), assignment, at).await
    }

    pub async fn with_lease(
        projection: &'static Definition,
        lease: Lease,
        database: &Database,
        nats_url: &str,
    ) -> Self {
        let assignment = watch::Sender::new(Assignment::all()).subscribe();
        let (context, at) = (Context::default(), (database, nats_url));
        Self::make(projection, context, lease, assignment, at).await
    }

    async fn make(
        projection: &'static Definition,
        context: Context,
        lease: Lease,
        assignment: watch::Receiver<Assignment>,
        (database, nats_url): (&Database, &str),
    ) -> Self {
        let (health, shutdown) = (Health::new(), Shutdown::new());
        let worker = Worker::new(Job {
            projection,
            context,
            assignment,
            lease,
            connection: LazyConnection::new(
                connection::projection_options(&database.url, projection).unwrap(),
            ),
            announcer: Announcer {
                nats: nats::connect(&NatsArgs::at(nats_url), "projector")
                    .await
                    .unwrap(),
                key: announcement_key(),
            },
            event_key: event_key(),
            health: health.clone(),
            shutdown: shutdown.clone(),
        });
        Self {
            health,
            shutdown,
            task: tokio::spawn(worker.run()),
        }
    }

    /// Stops it as SIGTERM does.
    pub async fn stop(self) {
        self.shutdown.soft.cancel();
        self.task.await.unwrap();
    }
}
