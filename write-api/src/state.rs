//! What every handler has.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use axum::extract::FromRef;
use feedmill_service::{Identity, Signer, Verifier, telemetry};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;

use crate::{
    domain::{Clock, Command},
    lane::{Answer, IdempotencyKey, Lanes, Order, Refusal},
    session::{Hasher, Sessions},
};

/// Accounts of another identity provider that are known to exist are remembered, this many at most: 16 bytes
/// each, and one that is forgotten costs a look at the database.
const MAX_KNOWN: usize = 100_000;

/// Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    lanes: Lanes,
    verifier: Verifier,
    /// None: accounts belong to somebody else's identity provider.
    local: Option<Local>,
    clock: Arc<Clock>,
    known: Mutex<HashSet<Uuid>>,
}

/// What accounts with passwords of our own need.
pub struct Local {
    pub sessions: Sessions,
    pub hasher: Arc<Hasher>,
    pub signer: Signer,
    /// Fingerprints are made under it: a body may hold a password, and a plain hash of that could be guessed at.
    pub fingerprint_key: [u8; 32],
}

impl App {
    pub fn new(lanes: Lanes, verifier: Verifier, local: Option<Local>, clock: Arc<Clock>) -> Self {
        Self(Arc::new(Inner {
            lanes,
            verifier,
            local,
            clock,
            known: Mutex::default(),
        }))
    }

    pub fn local(&self) -> Option<&Local> {
        self.0.local.as_ref()
    }

    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Has a command of a signed-in account carried out.
    pub async fn submit(
        &self,
        who: &Identity,
        command: Command,
        idempotency: Option<IdempotencyKey>,
    ) -> Result<Answer, Refusal> {
        if who.external && !self.known().contains(&who.account) {
            let first_sight = Command::EnsureAccount {
                account: who.account,
                handle_hint: who.handle_hint.clone(),
                name_hint: who.name_hint.clone(),
            };
            self.carry_out(who.account, first_sight, None).await?;
            let mut known = self.known();
            if known.len() >= MAX_KNOWN {
                known.clear();
            }
            known.insert(who.account);
        }
        self.carry_out(who.account, command, idempotency).await
    }

    /// Has a command of nobody in particular carried out.
    pub async fn submit_anonymous(
        &self,
        command: Command,
        idempotency: Option<IdempotencyKey>,
    ) -> Result<Answer, Refusal> {
        self.carry_out(Uuid::nil(), command, idempotency).await
    }

    async fn carry_out(
        &self,
        actor: Uuid,
        command: Command,
        idempotency: Option<IdempotencyKey>,
    ) -> Result<Answer, Refusal> {
        let (name, started) = (command.name(), Instant::now());
        let traceparent = telemetry::current_traceparent();
        let answer = self
            .0
            .lanes
            .submit(Order {
                actor,
                command,
                idempotency,
                traceparent,
            })
            .await;
        let outcome = match &answer {
            Ok(Answer { replayed: true, .. }) => "replayed",
            Ok(_) => "accepted",
            Err(Refusal::Rejected(_) | Refusal::KeyReused) => "rejected",
            Err(Refusal::Overloaded) => "overloaded",
            Err(Refusal::Database(_) | Refusal::Internal) => "failed",
        };
        metrics::counter!("commands_total", "command" => name, "outcome" => outcome).increment(1);
        metrics::histogram!("command_duration_seconds", "command" => name)
            .record(started.elapsed());
        answer
    }

    /// What tells two requests with one idempotency key apart: HMAC-SHA-256 of method, path and body.
    pub fn fingerprint(&self, method: &str, path: &str, body: &[u8]) -> [u8; 32] {
        let key = self.local().map_or([0; 32], |local| local.fingerprint_key);
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key of any length will do");
        // Neither a method nor a path has a line feed.
        for part in [method.as_bytes(), b"\n", path.as_bytes(), b"\n", body] {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashSet<Uuid>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FromRef<App> for Verifier {
    fn from_ref(app: &App) -> Self {
        app.0.verifier.clone()
    }
}
