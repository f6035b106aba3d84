//! Starts the service.

use anyhow::Context;
use feedmill_service::{
    Database, Health, Shutdown, Verifier,
    http::{Listeners, performance},
    metrics::describe,
    nats,
    sql::{self, slow_statements::explain_with},
    tokens::revocations::{poll::EndedSessionPoll, receive::receive_ended_sessions},
};
use tokio_util::sync::CancellationToken;

use crate::{
    cache::{
        answers::AnswerCache, caches::Caches, feeds::FeedCache, posts::PostCache,
        scores::ScoreCache,
    },
    config::Config,
    freshness::{
        announcements::receive_announcements, checkpoints::poll_checkpoints, progress::Progress,
        tag_versions::TagVersions,
    },
    http::cursor::Cursors,
    metrics::METRICS,
    operations::{self, Operations},
    router::router,
    sql::{search_path, secrets::Secrets},
    state::{AppState, Shared},
    stream::registry::{Limits, Streams},
    warm_up::warm_up,
};

/// Serves until `shutdown`. PostgreSQL, NATS and the source of the token keys may be unavailable at any time; readiness
/// reports it. Errors: an address that is in use, and invalid settings.
pub async fn serve(config: &Config, shutdown: Shutdown) -> anyhow::Result<()> {
    describe("read-api", env!("CARGO_PKG_VERSION"), METRICS);
    let health = Health::new();
    let cursors = Cursors::new(&config.cursors.key()?);
    let listeners = Listeners::bind(config.listen, "READ_LISTEN", config.admin_listen).await?;
    let (url, trust) = (&config.auth.key_set(), config.auth.trust());
    let verifier = Verifier::from_jwks(url, trust, &health, &shutdown)?;
    let options = sql::options(&config.database_url, "read-api", Some(&search_path()))
        .context("READ_DATABASE_URL is not the URL of a PostgreSQL database")?;
    let connections = config.database_connections as usize;
    let explained = options.clone();
    explain_with(move |_| Some(explained.clone()));
    let database = Database::new(options, connections)?;
    let nats = nats::connect(&config.nats, "read-api").await?;
    let tasks = Tasks(shutdown.soft.clone());
    // Sessions are write-api's; those of another identity provider are not known here.
    let secrets = Secrets::new(database.clone(), health.clone());
    if config.auth.jwks_url.is_none() {
        let revocations = verifier.revocations();
        let url = &config.auth.write_admin_url;
        let poll = EndedSessionPoll::new(url, revocations.clone(), &health)?;
        tasks.spawn(poll.run());
        let (revocations, client, secrets) = (revocations.clone(), nats.clone(), secrets.clone());
        tasks.spawn(async move {
            let key = secrets.wait().await.announcements.clone();
            receive_ended_sessions(revocations, client, key).await;
        });
    }

    let tag_versions = TagVersions::default();
    let progress = Progress::new(tag_versions.clone());
    health.set("database", Err("not polled yet".to_owned()));
    tasks.spawn(poll_checkpoints(
        progress.clone(),
        database.clone(),
        health.clone(),
    ));
    let client = nats.clone();
    let receiver = (progress.clone(), nats, health.clone());
    let keys = secrets.clone();
    tasks.spawn(async move {
        let key = keys.wait().await.announcements.clone();
        let (progress, client, health) = receiver;
        receive_announcements(progress, client, key, health).await;
    });

    let shares = config.cache.shares();
    let caches = Caches {
        answers: AnswerCache::new(shares.answers, tag_versions.clone()),
        posts: PostCache::new(shares.posts, tag_versions.clone()),
        scores: ScoreCache::new(shares.scores, tag_versions.clone()),
        feeds: FeedCache::new(shares.feeds, &tag_versions),
    };
    tasks.spawn(caches.clone().report_sizes());
    tasks.spawn(database.clone().report());
    let operations = Operations::new(
        caches.clone(),
        tag_versions.clone(),
        client,
        secrets.clone(),
    );
    tasks.spawn(operations.clone().receive());
    let operators = performance::router(database.clone()).merge(operations::router(operations));
    let limits = Limits {
        streams: config.streams.streams_max,
        streams_per_account: config.streams.streams_max_per_account,
        // The other connections are left to requests.
        statements: (connections / 4).max(1),
    };
    let streams = Streams::new(
        limits,
        database.clone(),
        cursors.clone(),
        progress.clone(),
        shutdown.soft.clone(),
    );
    tasks.spawn(streams.clone().wake());

    let state = AppState::new(Shared {
        database: database.clone(),
        verifier,
        cursors,
        progress,
        secrets,
        caches,
        tag_versions,
        streams,
    });
    tasks.spawn(warm_up(state.clone()));
    listeners
        .serve(router(state), operators, &config.http, &health, shutdown)
        .await?;
    database.close();
    Ok(())
}

/// Background tasks, which end when the shutdown begins.
struct Tasks(CancellationToken);

impl Tasks {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(self.0.clone().run_until_cancelled_owned(task));
    }
}
