//! Sessions at chosen times: nothing here waits.

use std::{sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use feedmill_service::{Signer, sql, tokens::revocations::Revocations};
use feedmill_tests::kit::{Database, Nats, Role, wait_until};
use serde_json::Value;
use uuid::Uuid;
use write_api::{
    client::Client,
    domain::{GivenPassword, Handle, Moment, Password},
    idempotency::IdempotencyKey,
    secrets::Secrets,
    session::{
        EndedSessions, Granted, Hasher, Lifetimes, Queue, SessionError, Sessions, SignIn, Which,
    },
};

const LIFETIMES: Lifetimes = Lifetimes {
    access_token: Duration::from_mins(15),
    session: Duration::from_hours(180 * 24),
};
const ACCOUNT: Uuid = Uuid::from_u128(7);
const DAY: i64 = 24 * 3_600;
const PASSWORD: &str = "stone and water";

/// The sessions of one account, @miller.
struct Mill {
    sessions: Sessions,
    /// What its verifier refuses.
    revocations: Revocations,
    database: Database,
}

type Answer = Result<Granted, SessionError>;

impl Mill {
    async fn new() -> Self {
        let database = Database::with_log().await;
        let hasher = Arc::new(Hasher::new(1).unwrap());
        let password = Password::try_from(PASSWORD.to_owned()).unwrap();
        let client = Client::Known(ACCOUNT);
        let hash = hasher.hash(password, Queue::SignUp, client).await.unwrap();
        let insert = "WITH account AS (
                INSERT INTO write.accounts (id, handle, display_name, created_at)
                VALUES ($1, 'miller', 'Miller', now()) RETURNING id
            )
            INSERT INTO write.passwords (account_id, hash) SELECT id, $2 FROM account";
        let insert = sqlx::query(insert).bind(ACCOUNT).bind(hash);
        insert.execute(&database.pool).await.unwrap();
        let options = sql::options(&database.url_as(Role::WriteApi), "test", None).unwrap();
        let revocations = Revocations::default();
        let nats = Nats::absent().client().await;
        let pool = feedmill_service::Database::new(options, 4).unwrap();
        let secrets = Secrets::new(pool.clone(), feedmill_service::Health::new());
        let sessions = Sessions::new(
            pool,
            Signer::new([1; 32], "feedmill", "feedmill").unwrap(),
            hasher,
            LIFETIMES,
            EndedSessions::new(revocations.clone(), nats, secrets),
        );
        Self {
            sessions,
            revocations,
            database,
        }
    }

    /// Signs in, so many seconds after the beginning.
    async fn sign_in(&self, key: Option<&IdempotencyKey>, seconds: i64) -> Answer {
        let sign_in = SignIn {
            handle: Handle::try_from("miller".to_owned()).unwrap(),
            password: GivenPassword::try_from(PASSWORD.to_owned()).unwrap(),
            device_name: None,
            device_token: None,
        };
        let moment = moment(TimeDelta::seconds(seconds));
        let client = Client::Known(ACCOUNT);
        self.sessions.open(sign_in, client, key, moment).await
    }

    /// Ends all sessions.
    async fn end_all(&self, seconds: i64) {
        let moment = moment(TimeDelta::seconds(seconds));
        let all = Which::AllExcept(None);
        self.sessions.end(ACCOUNT, all, None, moment).await.unwrap();
    }

    async fn refresh(&self, token: &str, key: Option<&IdempotencyKey>, seconds: i64) -> Answer {
        self.refresh_at(token, key, TimeDelta::seconds(seconds))
            .await
    }

    async fn refresh_at(&self, token: &str, key: Option<&IdempotencyKey>, at: TimeDelta) -> Answer {
        self.sessions.refresh(token, key, moment(at)).await
    }
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

#[tokio::test]
async fn theft_ends_the_access_tokens_too() {
    let mill = Mill::new().await;
    let first = mill.sign_in(None, 0).await.unwrap();
    let session: Uuid = claims(&first)["sid"].as_str().unwrap().parse().unwrap();
    let first = first.tokens.refresh_token;
    let next = mill.refresh(&first, None, 100).await.unwrap();
    assert_eq!(claims(&next)["sid"], session.to_string());
    assert!(mill.revocations.list().sessions.is_empty());
    mill.refresh(&first, None, 200).await.unwrap_err();
    // These times are in the past, so that nothing needs to be refused any more.
    assert!(!mill.revocations.contains(session));
    let stored: Vec<(Uuid, chrono::DateTime<chrono::Utc>)> =
        sqlx::query_as("SELECT session_id, refused_until FROM write.ended_sessions")
            .fetch_all(&mill.database.pool)
            .await
            .unwrap();
    let until = moment(TimeDelta::seconds(200 + 15 * 60 + 60)).at();
    assert_eq!(stored, [(session, until)]);
}

#[tokio::test]
async fn an_ended_session_is_neither_refreshed_nor_repeated() {
    let mill = Mill::new().await;
    let (sign_in, refresh) = (key("sign in"), key("refresh"));
    let opened = mill.sign_in(Some(&sign_in), 0).await.unwrap();
    let first = opened.tokens.refresh_token;
    let next = mill.refresh(&first, Some(&refresh), 1).await.unwrap();
    mill.end_all(2).await;
    for (token, key) in [
        (&first, Some(&refresh)),
        (&first, None),
        (&next.tokens.refresh_token, None),
    ] {
        let refused = mill.refresh(token, key, 3).await;
        assert!(is_invalid(&refused), "{refused:?}");
    }
    let repeated = mill.sign_in(Some(&sign_in), 3).await;
    assert!(matches!(repeated, Err(SessionError::Ended)), "{repeated:?}");
    mill.sign_in(Some(&key("again")), 3).await.unwrap();
}

#[tokio::test]
async fn a_session_ends_after_its_lifetime_however_often_it_is_refreshed() {
    let mill = Mill::new().await;
    let mut token = mill.sign_in(None, 0).await.unwrap().tokens.refresh_token;
    for day in (20..180).step_by(20) {
        let next = mill.refresh(&token, None, day * DAY).await.unwrap();
        assert_eq!(next.tokens.expires_in, 900);
        token = next.tokens.refresh_token;
    }
    let last = mill.refresh(&token, None, 180 * DAY - 60).await.unwrap();
    assert_eq!(last.tokens.expires_in, 60, "no longer than the session");
    let over = mill.refresh(&last.tokens.refresh_token, None, 180 * DAY);
    assert!(is_invalid(&over.await));
    let listed = mill.sessions.list(ACCOUNT, moment(TimeDelta::days(180)));
    assert!(listed.await.unwrap().is_empty());
}

#[tokio::test]
async fn a_sign_in_with_a_password_that_changes_meanwhile_is_refused() {
    let mill = Mill::new().await;
    let pool = &mill.database.pool;
    let mut change = pool.begin().await.unwrap();
    let update = sqlx::query("UPDATE write.passwords SET hash = 'of another password'");
    update.execute(&mut *change).await.unwrap();
    let finish = async {
        wait_until("the sign-in waits", async || {
            let waiting = "SELECT EXISTS (SELECT FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock')";
            let waiting = sqlx::query_scalar(waiting).fetch_one(pool).await;
            waiting.unwrap()
        })
        .await;
        change.commit().await.unwrap();
    };
    // The password is verified before the change is committed.
    let (answer, ()) = tokio::join!(mill.sign_in(None, 0), finish);
    assert!(
        matches!(answer, Err(SessionError::WrongCredentials)),
        "{answer:?}"
    );
    let listed = mill.sessions.list(ACCOUNT, moment(TimeDelta::zero()));
    assert!(listed.await.unwrap().is_empty());
}
