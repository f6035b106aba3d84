//! Signs access tokens with the key of a running Feedmill: valid ones, and invalid ones of every kind.

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use uuid::Uuid;

#[derive(Clone)]
pub struct Signer {
    key: EncodingKey,
    kid: Option<String>,
    public: String,
}

/// The present time. The only clock of the tests, apart from timeouts.
#[expect(
    clippy::disallowed_methods,
    reason = "tokens and digests depend on the real time"
)]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

impl Signer {
    /// A new Ed25519 key, as PEM in PKCS #8.
    pub fn new_key() -> String {
        // RFC 8410: the prefix of every such key.
        const PREFIX: [u8; 16] = [
            0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22,
            0x04, 0x20,
        ];
        let der = [PREFIX.as_slice(), &rand::random::<[u8; 32]>()].concat();
        let body = BASE64_STANDARD.encode(der);
        format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
    }

    /// With a private key and the key id that this write-api publishes for it.
    pub async fn new(pem: &str, write_api: &str) -> Self {
        let url = format!("{write_api}/.well-known/jwks.json");
        let answer = crate::client::http()
            .get(url)
            .send()
            .await
            .expect("the key set");
        let keys: Value = answer.json().await.expect("the key set in JSON");
        Self {
            key: EncodingKey::from_ed_pem(pem.as_bytes()).expect("an Ed25519 key"),
            kid: keys["keys"][0]["kid"].as_str().map(str::to_owned),
            public: keys["keys"][0]["x"]
                .as_str()
                .expect("the public key")
                .to_owned(),
        }
    }

    /// A valid token, for an hour.
    pub fn token(&self, account: Uuid) -> String {
        self.sign(&Self::claims(account))
    }

    /// The claims of a valid token.
    pub fn claims(account: Uuid) -> Value {
        let now = now().timestamp();
        json!({"iss": "feedmill", "aud": "feedmill", "sub": account, "iat": now, "exp": now + 3600})
    }

    pub fn sign(&self, claims: &Value) -> String {
        self.sign_with(Algorithm::EdDSA, &self.key, claims)
    }

    fn sign_with(&self, algorithm: Algorithm, key: &EncodingKey, claims: &Value) -> String {
        let mut header = Header::new(algorithm);
        header.kid.clone_from(&self.kid);
        encode(&header, claims, key).expect("a token")
    }

    /// Invalid tokens for this account: what is wrong with each, and the token.
    pub fn invalid_tokens(&self, account: Uuid) -> Vec<(&'static str, String)> {
        let with = |name: &str, value: Value| {
            let mut claims = Self::claims(account);
            claims[name] = value;
            self.sign(&claims)
        };
        let without = |name: &str| {
            let mut claims = Self::claims(account);
            claims
                .as_object_mut()
                .and_then(|claims| claims.remove(name));
            self.sign(&claims)
        };
        let good = Self::claims(account);
        let stranger = EncodingKey::from_ed_pem(Self::new_key().as_bytes()).expect("a key");
        let hmac = |secret: &[u8]| {
            self.sign_with(Algorithm::HS256, &EncodingKey::from_secret(secret), &good)
        };
        let part = |json: Value| base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
        let unsigned = format!(
            "{}.{}.",
            part(json!({"alg": "none", "typ": "JWT"})),
            part(good.clone())
        );
        let signed = self.token(account);
        let (text, _) = signed.rsplit_once('.').expect("three parts");
        vec![
            ("expired", with("exp", json!(now().timestamp() - 3600))),
            ("no expiry", without("exp")),
            (
                "wrong issuer",
                with("iss", json!("https://elsewhere.example")),
            ),
            ("no issuer", without("iss")),
            ("wrong audience", with("aud", json!("something-else"))),
            ("no audience", without("aud")),
            ("no subject", without("sub")),
            ("a subject that is not an id", with("sub", json!("root"))),
            ("unsigned", unsigned),
            (
                "signed with HS256 and the public key",
                hmac(self.public.as_bytes()),
            ),
            (
                "signed by another key with the same key id",
                self.sign_with(Algorithm::EdDSA, &stranger, &good),
            ),
            ("signature cut off", format!("{text}.")),
            ("not a token", "letmein".to_owned()),
            ("empty", String::new()),
        ]
    }
}
