//! Who a token is from: an operator with a token of their own, or with a token of the identity provider.

use std::{
    sync::Arc,
    time::{Duration, Instant, UNIX_EPOCH},
};

use anyhow::Context as _;
use feedmill_service::{Health, Shutdown, Verifier};
use serde_json::Value;
use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};

use super::{
    settings::ConsoleArgs,
    tokens::{TokenDigest, Tokens},
};

/// The longest session.
pub const SESSION_LIFETIME: Duration = Duration::from_hours(12);
/// How many tokens are checked at the same time, how long a wrong one takes, and how long an attempt waits for its turn.
const CONCURRENT_ATTEMPTS: usize = 4;
const FAILURE_DELAY: Duration = Duration::from_secs(1);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_NAME_CHARACTERS: usize = 80;

/// Somebody who may use the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// For the audit log: `console:NAME`, or `console:idp/SUBJECT` with a token of the identity provider.
    pub name: String,
    /// The configured token, without which the operator may do nothing more. None for one of the identity provider.
    pub token: Option<TokenDigest>,
    pub expires: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    Wrong,
    /// Too many others are being checked.
    Busy,
}

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Access {
    tokens: Tokens,
    provider: Option<Arc<Provider>>,
    attempts: Arc<Semaphore>,
}

#[derive(Debug)]
struct Provider {
    verifier: Verifier,
    claim: String,
    value: String,
}

impl Access {
    /// None if nobody may use the console. Errors: invalid settings.
    pub fn new(args: &ConsoleArgs, shutdown: &Shutdown) -> anyhow::Result<Option<Self>> {
        let tokens = Tokens::new(
            args.console_token.as_deref(),
            args.console_token_file.as_ref(),
        )?;
        let claim = args
            .console_claim
            .as_deref()
            .filter(|claim| !claim.is_empty());
        let provider = claim.zip(args.jwks_url.as_deref()).map(|(claim, url)| {
            let (claim, value) = claim
                .split_once('=')
                .filter(|(claim, value)| !claim.is_empty() && !value.is_empty())
                .context("CONSOLE_CLAIM must be name=value")?;
            anyhow::Ok(Arc::new(Provider {
                // The projector is ready without the identity provider.
                verifier: Verifier::from_jwks(url, args.trust(), &Health::unreported(), shutdown)?,
                claim: claim.to_owned(),
                value: value.to_owned(),
            }))
        });
        let provider = provider.transpose()?;
        let is_closed = tokens.is_empty() && provider.is_none();
        Ok((!is_closed).then(|| Self {
            tokens,
            provider,
            attempts: Arc::new(Semaphore::new(CONCURRENT_ATTEMPTS)),
        }))
    }

    /// Whose token it is. A wrong one takes a second, and only a few are checked at a time.
    pub async fn authenticate(&self, token: &str) -> Result<Operator, Refusal> {
        let permit = timeout(ATTEMPT_TIMEOUT, self.attempts.acquire()).await;
        let _permit = permit
            .map_err(|_| Refusal::Busy)?
            .map_err(|_| Refusal::Busy)?;
        if let Some(operator) = self.operator(token).await {
            return Ok(operator);
        }
        sleep(FAILURE_DELAY).await;
        Err(Refusal::Wrong)
    }

    /// Whether the operator's token has been removed since.
    pub fn is_revoked(&self, operator: &Operator) -> bool {
        operator
            .token
            .is_some_and(|digest| self.tokens.name(digest).is_none())
    }

    async fn operator(&self, token: &str) -> Option<Operator> {
        let latest = Instant::now() + SESSION_LIFETIME;
        let digest = TokenDigest::of(token);
        if let Some(name) = self.tokens.name(digest) {
            return Some(Operator {
                name: format!("console:{name}"),
                token: Some(digest),
                expires: latest,
            });
        }
        let provider = self.provider.as_ref()?;
        let verified = provider.verifier.verify_claims(token).await;
        let (identity, claims) = verified
            .inspect_err(|error| tracing::debug!(%error, "console: a token is not one of the identity provider"))
            .ok()?;
        if !has_value(claims.get(&provider.claim), &provider.value) {
            return None;
        }
        let subject = claims
            .get("sub")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let left = Duration::from_secs(identity.expires).saturating_sub(UNIX_EPOCH.elapsed().ok()?);
        Some(Operator {
            name: format!("console:idp/{}", printable(subject)),
            token: None,
            expires: latest.min(Instant::now() + left),
        })
    }
}

/// Whether a claim has a value, or is a list that has it.
fn has_value(claim: Option<&Value>, value: &str) -> bool {
    match claim {
        Some(Value::String(text)) => text == value,
        Some(Value::Bool(flag)) => flag.to_string() == value,
        Some(Value::Array(items)) => items.iter().any(|item| item.as_str() == Some(value)),
        _ => false,
    }
}

/// A subject can be any text.
fn printable(subject: &str) -> String {
    let visible = |c: char| if c.is_control() { '?' } else { c };
    subject
        .chars()
        .take(MAX_NAME_CHARACTERS)
        .map(visible)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TOKEN: &str = "ann-has-a-token-of-32-characters";

    fn access(args: &ConsoleArgs) -> anyhow::Result<Option<Access>> {
        Access::new(args, &Shutdown::new())
    }

    #[tokio::test]
    async fn a_wrong_token_takes_a_second_and_few_are_checked_at_a_time() {
        let args = ConsoleArgs {
            console_token: Some(format!("ann:{TOKEN}")),
            ..ConsoleArgs::default()
        };
        let access = access(&args).unwrap().unwrap();
        let ann = access.authenticate(TOKEN).await.unwrap();
        assert_eq!(ann.name, "console:ann");
        assert!(!access.is_revoked(&ann));
        let start = Instant::now();
        let attempts = (0..=CONCURRENT_ATTEMPTS).map(|_| access.authenticate("wrong"));
        let refused = futures::future::join_all(attempts).await;
        assert!(refused.iter().all(|it| *it == Err(Refusal::Wrong)));
        assert!(start.elapsed() >= 2 * FAILURE_DELAY);
    }

    #[test]
    fn without_tokens_and_claim_there_is_no_console() {
        assert!(access(&ConsoleArgs::default()).unwrap().is_none());
        let args = ConsoleArgs {
            console_claim: Some("operator".to_owned()),
            jwks_url: Some("http://127.0.0.1:1/jwks".to_owned()),
            ..ConsoleArgs::default()
        };
        assert!(
            access(&args)
                .unwrap_err()
                .to_string()
                .contains("CONSOLE_CLAIM")
        );
    }

    #[test]
    fn a_claim_is_a_text_or_a_list() {
        let claims = json!({"role": "operator", "groups": ["a", "operator"], "other": {"operator": true}, "is_operator": true});
        let has = |claim: &str, value| has_value(claims.get(claim), value);
        assert!(has("role", "operator") && has("groups", "operator") && has("is_operator", "true"));
        assert!(!has("role", "oper") && !has("other", "operator") && !has("absent", ""));
        assert_eq!(printable("a\nb"), "a?b");
    }
}
