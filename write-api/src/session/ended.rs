//! Telling every verifier of tokens which sessions have ended: this instance at once, other services and instances on core
//! NATS and by the list that they poll. The table is what instances of write-api have in common; the list that they serve is
//! what each of them knows.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_nats::Client;
use axum::http::HeaderValue;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use feedmill_events::subject;
use feedmill_service::{
    Database, nats,
    tokens::revocations::{
        Revocations,
        list::{self, Ended, EndedSession},
    },
};
use sha2::{Digest, Sha256};
use tokio::time::{sleep, timeout};

use super::ends;
use crate::{domain::Clock, secrets::Secrets};

/// How often an instance reads what others have ended. Together with the interval at which a service polls the list of an
/// instance, less than a second.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
const POLL_TIMEOUT: Duration = Duration::from_secs(2);

/// A message of so many sessions has about 70 KB, a tenth of what NATS accepts.
const MAX_PER_MESSAGE: usize = 1_000;

const ENDED: &str = "sessions_ended_total";

/// Why sessions end: the label of the metric.
const REASONS: [&str; 3] = ["signed_out", "password", "theft"];

/// Cheap to clone.
#[derive(Clone)]
pub struct EndedSessions(Arc<Inner>);

struct Inner {
    revocations: Revocations,
    nats: Client,
    secrets: Secrets,
    /// Whether the table was read since the start.
    is_read: AtomicBool,
    /// The last document, of this version of the revocations.
    served: Mutex<Option<(u64, Document)>>,
}

/// The list of ended sessions, as it is served.
#[derive(Clone)]
pub struct Document {
    pub body: Bytes,
    /// Of the content, so that it is the same at every instance that knows the same sessions.
    pub etag: HeaderValue,
}

impl EndedSessions {
    /// `revocations` are those of this instance's verifier.
    pub fn new(revocations: Revocations, nats: Client, secrets: Secrets) -> Self {
        // A counter that appears with its first session has not increased yet.
        for why in REASONS {
            metrics::counter!(ENDED, "why" => why).increment(0);
        }
        Self(Arc::new(Inner {
            revocations,
            nats,
            secrets,
            is_read: AtomicBool::new(false),
            served: Mutex::default(),
        }))
    }

    /// Makes all instances refuse the access tokens of these sessions. Call it after the commit. A message that is lost is
    /// made up for by polling.
    pub async fn announce(&self, why: &'static str, sessions: &[EndedSession]) {
        let count = sessions.len() as u64;
        metrics::counter!(ENDED, "why" => why).increment(count);
        self.0.revocations.add(sessions);
        let Ok(secrets) = self.0.secrets.get().await else {
            return;
        };
        for sessions in sessions.chunks(MAX_PER_MESSAGE) {
            let message = list::encode(&sessions.to_vec().into());
            let key = &secrets.announcements;
            let published =
                nats::publish_signed(&self.0.nats, key, subject::ENDED_SESSIONS, message.into());
            published.await.ok();
        }
    }

    /// All sessions that have ended lately. None until they were read from the database.
    pub fn document(&self) -> Option<Document> {
        if !self.0.is_read.load(Ordering::Acquire) {
            return None;
        }
        let version = self.0.revocations.version();
        let mut served = (self.0.served.lock()).unwrap_or_else(PoisonError::into_inner);
        Some(match &*served {
            Some((of, document)) if *of == version => document.clone(),
            _ => {
                let document = Document::of(&self.0.revocations.list());
                *served = Some((version, document.clone()));
                document
            }
        })
    }

    /// Reads what other instances and operators have ended, until cancelled.
    pub async fn poll(self, database: Database, clock: Arc<Clock>) {
        let mut failed = false;
        loop {
            let read = self.read(&database, &clock).await;
            if let Err(error) = &read
                && !failed
            {
                tracing::warn!(%error, "sessions: cannot read which sessions have ended, retrying");
            }
            failed = read.is_err();
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Reads once. Errors: the database does not answer in time.
    pub async fn read(&self, database: &Database, clock: &Clock) -> sqlx::Result<()> {
        let read = ends::ended(database, clock.now().at());
        let ended = timeout(POLL_TIMEOUT, read).await;
        let ended = ended.map_err(|_| sqlx::Error::PoolTimedOut)??;
        // The clock of the machine that began the incarnation may be ahead: a new session would be taken for one from before.
        clock.not_before(ended.all_before);
        self.0.revocations.extend(&ended);
        self.0.is_read.store(true, Ordering::Release);
        Ok(())
    }
}

impl Document {
    fn of(ended: &Ended) -> Self {
        let body = list::encode(ended);
        let hash = Sha256::digest(&body);
        let hash = URL_SAFE_NO_PAD.encode(&hash[..16]);
        let etag = HeaderValue::try_from(format!("\"{hash}\""));
        Self {
            body: body.into(),
            etag: etag.expect("base64 in quotes"),
        }
    }
}
