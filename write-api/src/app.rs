//! The state of the HTTP handlers.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use axum::{extract::FromRef, http::HeaderMap};
use feedmill_service::{
    Identity, Signer, Verifier,
    client_address::{ClientAddress, Peer, TrustedProxies},
    telemetry,
};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;

use crate::{
    client::Client,
    config::LimitArgs,
    domain::{AccountCommand, Clock, Command, Outcome, TagLimits},
    idempotency::IdempotencyKey,
    lane::{Answer, Lanes, Refusal},
    quota::{Quota, QuotaExceeded, QuotaState, Quotas, Reserved},
    secrets::Secrets,
    session::Sessions,
};

/// How many external accounts are remembered as existing, at 16 bytes each. One that is not remembered costs a command.
const MAX_KNOWN: usize = 100_000;

/// Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    lanes: Lanes,
    verifier: Verifier,
    /// None if accounts belong to an external identity provider.
    local: Option<Local>,
    clock: Arc<Clock>,
    secrets: Secrets,
    quotas: Quotas,
    max_pending_requests: u32,
    tag_limits: TagLimits,
    proxies: TrustedProxies,
    warned_of_proxy: AtomicBool,
    /// External accounts that exist.
    known: Mutex<HashSet<Uuid>>,
}

/// What local accounts need: passwords and sessions.
pub struct Local {
    pub sessions: Sessions,
    pub signer: Signer,
    /// The key of fingerprints. A body may hold a password, and a plain hash of it could be guessed.
    pub fingerprint_key: [u8; 32],
}

impl App {
    pub fn new(
        lanes: Lanes,
        verifier: Verifier,
        local: Option<Local>,
        clock: Arc<Clock>,
        secrets: Secrets,
        limits: &LimitArgs,
    ) -> Self {
        Self(Arc::new(Inner {
            lanes,
            verifier,
            local,
            clock,
            secrets,
            quotas: Quotas::new(&limits.quotas),
            max_pending_requests: limits.max_pending_requests,
            tag_limits: TagLimits {
                tags: limits.max_tags,
                members: limits.max_tag_members,
            },
            proxies: limits.trusted_proxies.iter().copied().collect(),
            warned_of_proxy: AtomicBool::new(false),
            known: Mutex::default(),
        }))
    }

    pub fn local(&self) -> Option<&Local> {
        self.0.local.as_ref()
    }

    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The address that limits count a request for.
    pub fn client_address(&self, peer: Peer, headers: &HeaderMap) -> ClientAddress {
        let inner = &self.0;
        if inner.proxies.is_unknown_proxy(peer, headers)
            && !inner.warned_of_proxy.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                peer = %peer.0,
                "http: a request was forwarded by an address that is not in TRUSTED_PROXIES; if it is a proxy of yours, name it \
                 there, because all of its clients share the limits of one address now"
            );
        }
        inner.proxies.client(peer, headers)
    }

    /// Carries out a command of a signed-in account. An external account is created when it is first seen.
    pub async fn submit(
        &self,
        caller: &Identity,
        command: impl Into<Command>,
        idempotency: Option<IdempotencyKey>,
    ) -> Result<Answer, Refusal> {
        if caller.external && !self.known().contains(&caller.account) {
            let ensure = AccountCommand::Ensure {
                account: caller.account,
                handle_hint: caller.handle_hint.clone(),
                name_hint: caller.name_hint.clone(),
            };
            self.carry_out(caller.account, ensure.into(), None).await?;
            let mut known = self.known();
            if known.len() >= MAX_KNOWN {
                known.clear();
            }
            known.insert(caller.account);
        }
        let command = command.into();
        let quota = Quota::of(&command);
        let reserved = quota.map(|quota| self.reserve(quota, Client::Known(caller.account)));
        let reserved = reserved.transpose()?;
        let mut answer = self.carry_out(caller.account, command, idempotency).await?;
        self.seal_position(caller.account, &mut answer).await;
        answer.quota = reserved.and_then(|reserved| self.count(reserved, answer.replayed));
        Ok(answer)
    }

    /// Carries out a command of a client that is not signed in.
    pub async fn submit_anonymous(
        &self,
        command: impl Into<Command>,
        idempotency: Option<IdempotencyKey>,
        reserved: Reserved,
    ) -> Result<Answer, Refusal> {
        let command = command.into();
        let mut answer = self.carry_out(Uuid::nil(), command, idempotency).await?;
        if let Outcome::Account { account, .. } = &answer.outcome {
            let account = account.id;
            self.seal_position(account, &mut answer).await;
        }
        answer.quota = self.count(reserved, answer.replayed);
        Ok(answer)
    }

    /// The maximum number of unanswered connection requests that an account may have sent.
    pub fn max_pending_requests(&self) -> u32 {
        self.0.max_pending_requests
    }

    pub fn tag_limits(&self) -> TagLimits {
        self.0.tag_limits
    }

    /// Reserves a part of a client's quota, until the command has succeeded.
    pub fn reserve(&self, quota: Quota, client: Client) -> Result<Reserved, QuotaExceeded> {
        let reserved = self
            .0
            .quotas
            .reserve(quota, client, self.clock().now().millis);
        if reserved.is_err() {
            metrics::counter!("quota_exceeded_total", "quota" => quota.name()).increment(1);
        }
        reserved
    }

    /// Counts a command that has succeeded, unless it repeats an earlier one. What is left of the quota.
    pub fn count(&self, reserved: Reserved, replayed: bool) -> Option<QuotaState> {
        if replayed {
            return None;
        }
        reserved.succeeded(self.clock().now().millis)
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
            .submit(actor, command, idempotency, traceparent)
            .await;
        let outcome = match &answer {
            Ok(Answer { replayed: true, .. }) => "replayed",
            Ok(_) => "accepted",
            Err(Refusal::Rejected(_) | Refusal::KeyReused | Refusal::QuotaExceeded(_)) => {
                "rejected"
            }
            Err(Refusal::Overloaded) => "overloaded",
            Err(Refusal::Database(_) | Refusal::Internal) => "failed",
        };
        metrics::counter!("commands_total", "command" => name, "outcome" => outcome).increment(1);
        metrics::histogram!("command_duration_seconds", "command" => name)
            .record(started.elapsed());
        answer
    }

    /// Encrypts the position of an answer for its account. If the key cannot be read, the answer has no position. That can only
    /// happen until the key was read once.
    async fn seal_position(&self, account: Uuid, answer: &mut Answer) {
        match self.0.secrets.get().await {
            Ok(secrets) => {
                answer.position = Some(secrets.positions.seal(
                    account,
                    &answer.positions,
                    rand::random(),
                ));
            }
            Err(error) => {
                tracing::warn!(%error, "positions: cannot read their key, answering without a position");
            }
        }
    }

    /// The fingerprint that distinguishes requests with one idempotency key: HMAC-SHA-256 of method, path and body.
    pub fn fingerprint(&self, method: &str, path: &str, body: &[u8]) -> [u8; 32] {
        let key = self.local().map_or([0; 32], |local| local.fingerprint_key);
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes a key of any length");
        // Neither a method nor a path contains a line feed.
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
