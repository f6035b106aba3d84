//! Sessions at chosen times: nothing here waits.

use std::{sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use feedmill_service::Signer;
use serde_json::Value;
use uuid::Uuid;
use write_api::{
    domain::{Handle, Moment, Password},
    idempotency::IdempotencyKey,
    session::{Granted, Hasher, SessionError, Sessions},
};

use crate::harness::Database;

const ACCESS_TTL: Duration = Duration::from_mins(15);
const PASSWORD: &str = "stone and water";

/// The sessions of one account, @miller.
struct Mill {
    sessions: Sessions,
    _database: Database,
}

type Answer = Result<Granted, SessionError>;

impl Mill {
    async fn new() -> Self {
        let database = Database::new().await;
        let hasher = Arc::new(Hasher::new(1).unwrap());
        let hash = hasher.hash(password(PASSWORD)).await.unwrap();
        let insert = "WITH account AS (
                INSERT INTO write.accounts (id, handle, display_name, created_at)
                VALUES ($1, 'miller', 'Miller', now()) RETURNING id
            )
            INSERT INTO write.passwords (account_id, hash) SELECT id, $2 FROM account";
        let pool = database.pool().await;
        let insert = sqlx::query(insert).bind(Uuid::from_u128(7)).bind(hash);
        insert.execute(&pool).await.unwrap();
        let options = database.service_url().parse().unwrap();
        let sessions = Sessions::new(
            feedmill_service::Database::new(options, 4).unwrap(),
            Signer::new([1; 32], "feedmill", "feedmill").unwrap(),
            hasher,
            ACCESS_TTL,
        );
        Self {
            sessions,
            _database: database,
        }
    }

    /// Signs in, so many seconds after the beginning.
    async fn sign_in(&self, key: Option<&IdempotencyKey>, seconds: i64) -> Answer {
        let handle = Handle::try_from("miller".to_owned()).unwrap();
        let moment = moment(TimeDelta::seconds(seconds));
        (self.sessions)
            .open(&handle, password(PASSWORD), key, moment)
            .await
    }

    async fn refresh(&self, token: &str, key: Option<&IdempotencyKey>, seconds: i64) -> Answer {
        self.refresh_at(token, key, TimeDelta::seconds(seconds))
            .await
    }

    async fn refresh_at(&self, token: &str, key: Option<&IdempotencyKey>, at: TimeDelta) -> Answer {
        self.sessions.refresh(token, key, moment(at)).await
    }
}

fn password(text: &str) -> Password {
    Password::try_from(text.to_owned()).unwrap()
}

/// So long after the beginning of these tests.
fn moment(after: TimeDelta) -> Moment {
    Moment {
        millis: 1_713_000_000_000 + after.num_milliseconds(),
        counter: 0,
        random: rand::random(),
    }
}

fn key(name: &str) -> IdempotencyKey {
    IdempotencyKey {
        key: name.to_owned(),
        fingerprint: [7; 32],
    }
}

/// The claims of an access token.
fn claims(granted: &Granted) -> Value {
    let payload = granted.tokens.access_token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

fn is_invalid(answer: &Answer) -> bool {
    matches!(answer, Err(SessionError::InvalidToken))
}

#[tokio::test]
async fn a_repeated_answer_is_the_same_until_its_access_token_expires() {
    let mill = Mill::new().await;
    let (sign_in, refresh) = (key("sign in"), key("refresh"));
    let opened = mill.sign_in(Some(&sign_in), 0).await.unwrap();
    let token = &opened.tokens.refresh_token;
    for (seconds, left) in [(0, 900), (100, 800), (899, 1)] {
        let again = mill.sign_in(Some(&sign_in), seconds).await.unwrap();
        assert!(again.replayed);
        assert_eq!(again.tokens.expires_in, left);
        assert_eq!(again.tokens.access_token, opened.tokens.access_token);
        assert_eq!(again.tokens.refresh_token, *token);
    }
    for seconds in [900, 5_000] {
        let again = mill.sign_in(Some(&sign_in), seconds).await.unwrap();
        assert!(again.replayed);
        assert_eq!(again.tokens.expires_in, 900);
        let (old, new) = (claims(&opened), claims(&again));
        let exp = old["exp"].as_i64().unwrap() + seconds;
        assert_eq!(new["exp"], exp);
        assert_eq!(again.tokens.refresh_token, *token);
    }

    let next = mill.refresh(token, Some(&refresh), 6_000).await.unwrap();
    let again = mill.refresh(token, Some(&refresh), 6_100).await.unwrap();
    assert_eq!(again.tokens.expires_in, 800);
    assert_eq!(again.tokens.access_token, next.tokens.access_token);
    let fresh = mill.refresh(token, Some(&refresh), 7_000).await.unwrap();
    assert_eq!(fresh.tokens.expires_in, 900);
    assert_ne!(fresh.tokens.access_token, next.tokens.access_token);
    assert_eq!(fresh.tokens.refresh_token, next.tokens.refresh_token);

    // Once the next token was used as well, nobody repeats the old request in good faith.
    let next = &next.tokens.refresh_token;
    mill.refresh(next, None, 7_100).await.unwrap();
    let late = mill.refresh(token, Some(&refresh), 7_200).await;
    assert!(is_invalid(&late), "{late:?}");
}

#[tokio::test]
async fn a_used_refresh_token_gets_the_same_answer_for_ten_seconds() {
    let mill = Mill::new().await;
    let first = mill.sign_in(None, 0).await.unwrap().tokens.refresh_token;
    let next = mill.refresh(&first, None, 100).await.unwrap();
    // With and without a key, which repeats its answer for a day.
    let tab = key("another tab");
    for (key, seconds, left) in [(None, 100, 900), (None, 105, 895), (Some(&tab), 110, 890)] {
        let again = mill.refresh(&first, key, seconds).await.unwrap();
        assert!(!again.replayed);
        assert_eq!(again.tokens.expires_in, left);
        assert_eq!(again.tokens.access_token, next.tokens.access_token);
        assert_eq!(again.tokens.refresh_token, next.tokens.refresh_token);
    }
    let again = mill.refresh(&first, Some(&tab), 200).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.tokens.refresh_token, next.tokens.refresh_token);
    // The next token works.
    let token = &next.tokens.refresh_token;
    mill.refresh(token, None, 300).await.unwrap();
}

#[tokio::test]
async fn a_used_refresh_token_is_theft_later() {
    let mill = Mill::new().await;
    let first = mill.sign_in(None, 0).await.unwrap().tokens.refresh_token;
    let next = mill.refresh(&first, None, 100).await.unwrap();
    let late = TimeDelta::milliseconds(110_001);
    let late = mill.refresh_at(&first, None, late).await;
    assert!(is_invalid(&late), "{late:?}");
    let next = mill.refresh(&next.tokens.refresh_token, None, 111).await;
    assert!(is_invalid(&next), "the session has ended: {next:?}");
}

#[tokio::test]
async fn an_older_refresh_token_is_theft_at_once() {
    let mill = Mill::new().await;
    let first = mill.sign_in(None, 0).await.unwrap().tokens.refresh_token;
    let second = mill.refresh(&first, None, 100).await.unwrap();
    let second = second.tokens.refresh_token;
    let third = mill.refresh(&second, None, 101).await.unwrap();
    let stolen = mill.refresh(&first, None, 102).await;
    assert!(is_invalid(&stolen), "{stolen:?}");
    let third = mill.refresh(&third.tokens.refresh_token, None, 103).await;
    assert!(is_invalid(&third), "the session has ended: {third:?}");
}
