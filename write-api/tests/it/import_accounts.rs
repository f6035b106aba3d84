//! Imported people sign in: with the password of the system that they are from, or through an identity provider.

use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version, password_hash::SaltString};
use feedmill_tests::{
    client::Answer,
    kit::{Database, wait_until},
};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::{harness::Api, import::import};

/// Of "correctbatteryhorsestapler".
const BCRYPT: &str = "$2b$04$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie";

fn account(handle: &str, fields: &Value) -> String {
    let mut record = json!({
        "type": "account",
        "id": handle,
        "handle": handle,
        "display_name": handle,
        "at": "2004-01-16T14:56:01Z",
    });
    let fields = fields.as_object().unwrap().clone();
    record.as_object_mut().unwrap().extend(fields);
    record.to_string()
}

fn argon2id(password: &str, params: Params) -> String {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let salt = SaltString::from_b64("c29tZXNhbHQ").unwrap();
    let hash = argon2.hash_password(password.as_bytes(), &salt).unwrap();
    hash.to_string()
}

async fn sign_in(api: &Api, handle: &str, password: &str) -> Answer {
    let body = json!({ "handle": handle, "password": password });
    let path = "/v1/sessions";
    api.client().command(Method::POST, path, Some(body)).await
}

async fn stored_hash(pool: &PgPool, handle: &str) -> String {
    let sql =
        "SELECT hash FROM write.passwords JOIN write.accounts ON id = account_id WHERE handle = $1";
    let query = sqlx::query_scalar(sql).bind(handle);
    query.fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn imported_people_sign_in_with_their_passwords() {
    let api = Api::start().await;
    let pool = &api.database.pool;
    let people = [
        ("bcrypt", BCRYPT.to_owned(), "correctbatteryhorsestapler"),
        (
            "php",
            BCRYPT.replace("$2b$", "$2y$"),
            "correctbatteryhorsestapler",
        ),
        (
            "argon",
            argon2id("a password", Params::new(1_024, 3, 2, Some(24)).unwrap()),
            "a password",
        ),
        // Shorter than a new password may be.
        (
            "short",
            argon2id("1234", Params::new(64, 1, 1, None).unwrap()),
            "1234",
        ),
    ];
    let lines: Vec<String> = people
        .iter()
        .map(|(handle, hash, _)| account(handle, &json!({ "password_hash": hash })))
        .collect();
    import(&api.database, &lines).await.unwrap();
    for (handle, imported, password) in &people {
        let wrong = sign_in(&api, handle, "wrong password").await;
        wrong.expect_problem(401, "wrong_credentials");
        assert_eq!(&stored_hash(pool, handle).await, imported);
        let session = sign_in(&api, handle, password).await.expect(201).json();
        let token = session["access_token"].as_str().unwrap();
        let person = api.client().with_token(token);
        person.post("hello", None).await.expect(201);

        // The hash was replaced, and the password is the same.
        let replaced = stored_hash(pool, handle).await;
        assert!(
            replaced.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{handle}: {replaced}"
        );
        sign_in(&api, handle, password).await.expect(201);
        let wrong = sign_in(&api, handle, "wrong password").await;
        wrong.expect_problem(401, "wrong_credentials");
        assert_eq!(stored_hash(pool, handle).await, replaced);
    }
    // An import that runs again does not bring the old hash back.
    let again = import(&api.database, &lines).await.unwrap();
    assert_eq!((again.known, again.events), (4, 0));
    assert_ne!(stored_hash(pool, "bcrypt").await, BCRYPT);
}

#[tokio::test]
async fn a_stored_hash_that_cannot_be_read_accepts_no_password() {
    let api = Api::start().await;
    api.person("miller").await;
    let pool = &api.database.pool;
    for hash in [
        "",
        "x",
        "$1$salt$hash",
        "$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$2b$31$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie",
    ] {
        let update = sqlx::query("UPDATE write.passwords SET hash = $1").bind(hash);
        update.execute(pool).await.unwrap();
        let refused = api.client().sign_in("miller").await;
        refused.expect_problem(401, "wrong_credentials");
    }
}

#[tokio::test]
async fn an_account_without_a_usable_hash_is_refused_by_its_line() {
    let database = Database::with_log().await;
    let lines = [
        account("good", &json!({ "password_hash": BCRYPT })),
        account(
            "md5",
            &json!({ "password_hash": "5f4dcc3b5aa765d61d8327deb882cf99" }),
        ),
        account(
            "costly",
            &json!({ "password_hash": BCRYPT.replace("$04$", "$16$") }),
        ),
        account(
            "half",
            &json!({ "external": { "issuer": "https://id.example" } }),
        ),
    ];
    let error = import(&database, &lines).await.unwrap_err().to_string();
    for expected in [
        "line 2: password_hash: must be an argon2id hash",
        "line 3: password_hash: takes too much memory or time",
        "line 4: missing field `subject`",
    ] {
        assert!(error.contains(expected), "{error}");
    }
    assert!(
        !error.contains("line 1") && !error.contains("5f4dcc"),
        "{error}"
    );
}

/// Several devices at once, of which one replaces the hash.
#[tokio::test]
async fn concurrent_first_sign_ins_all_succeed() {
    let api = Api::start().await;
    let lines = [account("miller", &json!({ "password_hash": BCRYPT }))];
    import(&api.database, &lines).await.unwrap();
    let devices = (0..8).map(|_| sign_in(&api, "miller", "correctbatteryhorsestapler"));
    for session in join_all(devices).await {
        session.expect(201);
    }
}

#[tokio::test]
async fn imported_people_sign_in_through_their_identity_provider() {
    let provider = Api::start().await;
    let jwks = format!("{}/.well-known/jwks.json", provider.url());
    let api = Api::start_with(&["--auth-jwks-url", &jwks]).await;
    let external = |subject: Uuid| {
        let subject = subject.to_string();
        json!({ "external": { "issuer": "feedmill", "subject": subject } })
    };
    let subject = Uuid::from_u128(0x5eed);
    let lines = [
        account("imported", &external(subject)),
        r#"{"type":"post","id":"p1","author":"imported","text":"old","at":"2004-01-16T14:56:01Z"}"#
            .to_owned(),
    ];
    import(&api.database, &lines).await.unwrap();

    let person = api.client().with_token(&provider.token(subject));
    let mut post = Value::Null;
    wait_until("the keys are fetched, in the background", async || {
        let answer = person.post("new", None).await;
        post = answer.json();
        answer.status == 201
    })
    .await;
    assert_eq!(post["author"]["handle"], "imported");
    let id: Uuid = sqlx::query_scalar("SELECT id FROM write.imported WHERE kind = 'account'")
        .fetch_one(&api.database.pool)
        .await
        .unwrap();
    assert_eq!(post["author"]["id"], id.to_string());

    // Who came before the import keeps handle and posts, and gets the imported ones besides.
    let subject = Uuid::from_u128(0xea41);
    let early = api.client().with_token(&provider.token(subject));
    let first = early.post("first", None).await.expect(201).json();
    let lines = [
        account("late", &external(subject)),
        r#"{"type":"post","id":"p2","author":"late","text":"older","at":"2004-01-16T14:56:01Z"}"#
            .to_owned(),
    ];
    let summary = import(&api.database, &lines).await.unwrap();
    assert_eq!((summary.records, summary.events), (2, 1));
    let author: Uuid = sqlx::query_scalar(
        "SELECT author_id FROM write.posts JOIN write.imported USING (id) WHERE record = 'p2'",
    )
    .fetch_one(&api.database.pool)
    .await
    .unwrap();
    assert_eq!(first["author"]["id"], author.to_string());

    // Two accounts of one file are not one identity.
    let twice = ["a1", "a2"].map(|id| account(id, &external(Uuid::nil())));
    let error = import(&api.database, &twice).await.unwrap_err().to_string();
    assert!(
        error.contains("line 2: external: there is another"),
        "{error}"
    );
}
