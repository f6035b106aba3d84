//! An HTTP client of both APIs, which remembers the positions of its commands.

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use feedmill_events::{PositionKey, Positions, event::v1::Audience};
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{endpoints::Service, link::LinkKind, openapi, oracle};

/// A read waits this long for the projector at most.
const PROJECTION_TIMEOUT: Duration = Duration::from_secs(90);

/// The password of every account that a test creates.
pub const PASSWORD: &str = "correct horse battery";

/// The HTTP client of this process: all share its connections.
pub fn http() -> reqwest::Client {
    static HTTP: OnceLock<reqwest::Client> = OnceLock::new();
    let make = || {
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        let builder = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_mins(1));
        builder.build().expect("an HTTP client")
    };
    HTTP.get_or_init(make).clone()
}

/// Clones share their positions.
#[derive(Clone)]
pub struct Client {
    pub write: String,
    pub read: String,
    token: Option<String>,
    /// Opens positions, so that a test can wait for what another account has done. Without it, positions are not noted.
    position_key: Option<PositionKey>,
    positions: Arc<Mutex<Positions>>,
}

/// An answer with its body.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    /// The body, or null if it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The `id` in the body; panics if there is none.
    pub fn id(&self) -> Uuid {
        let id = self.json()["id"].as_str().and_then(|id| id.parse().ok());
        id.unwrap_or_else(|| panic!("an answer with an id: {self:?}"))
    }

    /// The answer itself; panics unless it has this status.
    #[track_caller]
    #[expect(clippy::return_self_not_must_use, reason = "it is an assertion")]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self
    }
}

impl Client {
    pub fn new(write: &str, read: &str) -> Self {
        Self {
            write: write.to_owned(),
            read: read.to_owned(),
            token: None,
            position_key: None,
            positions: Arc::default(),
        }
    }

    /// The same client, which notes positions.
    #[must_use]
    pub fn with_position_key(self, key: PositionKey) -> Self {
        Self {
            position_key: Some(key),
            ..self
        }
    }

    /// The same client with another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// The same client of another write-api.
    #[must_use]
    pub fn with_write(&self, url: &str) -> Self {
        Self {
            write: url.to_owned(),
            ..self.clone()
        }
    }

    /// The same client of another read-api.
    #[must_use]
    pub fn with_read(&self, url: &str) -> Self {
        Self {
            read: url.to_owned(),
            ..self.clone()
        }
    }

    /// The positions after the commands of this client and its clones.
    pub fn positions(&self) -> Positions {
        self.positions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The position after the commands of this client and its clones, as its account may send it; empty before the first.
    pub fn position(&self) -> String {
        let positions = self.positions();
        if positions.is_empty() {
            return String::new();
        }
        self.seal(&positions).unwrap_or_default()
    }

    /// Positions as its account may send them. None without the key or an account.
    pub fn seal(&self, positions: &Positions) -> Option<String> {
        let key = self.position_key.as_ref()?;
        Some(key.seal(self.account()?, positions, rand::random()))
    }

    /// The account of its token, which need not be valid.
    fn account(&self) -> Option<Uuid> {
        let claims = self.token.as_ref()?.split('.').nth(1)?;
        let claims: Value =
            serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
        claims["sub"].as_str()?.parse().ok()
    }

    /// The position in an answer to a command of this account, or of the one that it created. None without the key.
    pub fn position_in(&self, answer: &Answer) -> Option<Positions> {
        let key = self.position_key.as_ref()?;
        let position = answer.header("feedmill-position")?;
        let own = self
            .account()
            .and_then(|account| key.open(account, position).ok());
        // A new account's.
        let positions = own.or_else(|| key.open(answer.id(), position).ok());
        Some(positions.unwrap_or_else(|| panic!("another account's position: {answer:?}")))
    }

    /// Reads wait for these positions too from now on.
    pub fn wait_for(&self, positions: &Positions) {
        let mut known = self
            .positions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        positions
            .iter()
            .for_each(|(partition, seq)| known.include(partition, seq));
    }

    /// A request to write-api, with this client's token.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.signed(http().request(method, format!("{}{path}", self.write)))
    }

    /// A request to read-api, with this client's token and without a position.
    pub fn read_request(&self, path: &str) -> reqwest::RequestBuilder {
        self.signed(http().get(format!("{}{path}", self.read)))
    }

    /// The same request with this client's token.
    pub fn signed(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request and notes the position in its answer. Panics without an answer, and if the description of the API does not
    /// have it.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let answer = self.try_send(request).await;
        answer.unwrap_or_else(|error| panic!("no answer: {error:?}"))
    }

    /// The same for a service that may be down.
    pub async fn try_send(&self, request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
        let (client, request) = request.build_split();
        let request = request?;
        let (method, url) = (request.method().clone(), request.url().clone());
        let answer = client.execute(request).await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let answer = Answer {
            status,
            headers,
            body: answer.text().await?,
        };
        let services = [
            (&self.write, Service::WriteApi),
            (&self.read, Service::ReadApi),
        ];
        let asked = services
            .iter()
            .filter(|(base, _)| url.as_str().starts_with(&format!("{base}/")));
        let asked: Vec<_> = asked.map(|(_, service)| *service).collect();
        openapi::check(&asked, method.as_str(), url.path(), &answer)
            .unwrap_or_else(|error| panic!("not as docs/openapi.json says: {error}: {answer:?}"));
        if let Some(positions) = self.position_in(&answer) {
            self.wait_for(&positions);
        }
        Ok(answer)
    }

    pub async fn command(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let request = self.request(method, path);
        self.send(if let Some(body) = body {
            request.json(&body)
        } else {
            request
        })
        .await
    }

    /// A read that waits for the positions of this client's commands.
    pub async fn get(&self, path: &str) -> Answer {
        let deadline = tokio::time::Instant::now() + PROJECTION_TIMEOUT;
        let position = self.position();
        loop {
            let mut request = self.signed(http().get(format!("{}{path}", self.read)));
            if !position.is_empty() {
                request = request.header("Feedmill-Min-Position", &position);
                request = request.header("Prefer", "wait=10");
            }
            let answer = self.send(request).await;
            let behind = answer.status == StatusCode::SERVICE_UNAVAILABLE
                && answer.json()["code"] == "projection_behind";
            if !behind || tokio::time::Instant::now() > deadline {
                return answer;
            }
        }
    }

    pub async fn create_account(&self, handle: &str, display_name: &str) -> Answer {
        let body = json!({"handle": handle, "display_name": display_name, "password": PASSWORD});
        self.command(Method::POST, "/v1/accounts", Some(body)).await
    }

    pub async fn sign_in(&self, handle: &str) -> Answer {
        let body = json!({"handle": handle, "password": PASSWORD});
        self.command(Method::POST, "/v1/sessions", Some(body)).await
    }

    pub async fn change_profile(&self, changes: Value) -> Answer {
        self.command(Method::PATCH, "/v1/me", Some(changes)).await
    }

    pub async fn post(&self, text: &str, reply_to: Option<Uuid>) -> Answer {
        let mut body = json!({"text": text});
        if let Some(parent) = reply_to {
            body["reply_to"] = json!(parent);
        }
        self.command(Method::POST, "/v1/posts", Some(body)).await
    }

    /// A root post with this audience.
    pub async fn post_to(&self, audience: &Audience, text: &str) -> Answer {
        let mut body = audience_body(audience);
        body["text"] = json!(text);
        self.command(Method::POST, "/v1/posts", Some(body)).await
    }

    pub async fn change_audience(&self, post: Uuid, audience: &Audience) -> Answer {
        let path = format!("/v1/posts/{post}/audience");
        let body = audience_body(audience);
        self.command(Method::PUT, &path, Some(body)).await
    }

    pub async fn edit_post(&self, post: Uuid, text: &str) -> Answer {
        let body = json!({"text": text});
        self.command(Method::PATCH, &format!("/v1/posts/{post}"), Some(body))
            .await
    }

    pub async fn delete_post(&self, post: Uuid) -> Answer {
        self.command(Method::DELETE, &format!("/v1/posts/{post}"), None)
            .await
    }

    /// Makes a link to this post or account, or undoes it.
    pub async fn link(&self, kind: LinkKind, to: Uuid, make: bool) -> Answer {
        let method = if make { Method::PUT } else { Method::DELETE };
        self.command(method, &kind.path(to), None).await
    }

    pub async fn like(&self, post: Uuid) -> Answer {
        self.link(LinkKind::Like, post, true).await
    }

    pub async fn follow(&self, user: Uuid) -> Answer {
        self.link(LinkKind::Follow, user, true).await
    }

    /// Asks for a connection or accepts one; or else ends, withdraws or declines.
    pub async fn connection(&self, other: Uuid, connect: bool) -> Answer {
        let method = if connect { Method::PUT } else { Method::DELETE };
        let path = format!("/v1/users/{other}/connection");
        self.command(method, &path, None).await
    }

    /// Blocks an account, or unblocks it.
    pub async fn block(&self, other: Uuid, block: bool) -> Answer {
        let method = if block { Method::PUT } else { Method::DELETE };
        let path = format!("/v1/users/{other}/block");
        self.command(method, &path, None).await
    }

    pub async fn create_tag(&self, name: &str) -> Answer {
        let body = json!({"name": name});
        self.command(Method::POST, "/v1/tags", Some(body)).await
    }

    /// Adds a member to a tag, or removes it.
    pub async fn tag_member(&self, tag: Uuid, member: Uuid, add: bool) -> Answer {
        let method = if add { Method::PUT } else { Method::DELETE };
        let path = format!("/v1/tags/{tag}/members/{member}");
        self.command(method, &path, None).await
    }

    pub async fn create_conversation(&self, members: &[Uuid], title: Option<&str>) -> Answer {
        let mut body = json!({"members": members});
        if let Some(title) = title {
            body["title"] = json!(title);
        }
        self.command(Method::POST, "/v1/conversations", Some(body))
            .await
    }

    /// A PATCH of a conversation.
    pub async fn change_conversation(&self, conversation: Uuid, changes: Value) -> Answer {
        let path = format!("/v1/conversations/{conversation}");
        self.command(Method::PATCH, &path, Some(changes)).await
    }

    /// Adds a member, or removes one.
    pub async fn set_member(&self, conversation: Uuid, account: Uuid, is_member: bool) -> Answer {
        let method = if is_member {
            Method::PUT
        } else {
            Method::DELETE
        };
        let path = format!("/v1/conversations/{conversation}/members/{account}");
        self.command(method, &path, None).await
    }

    pub async fn set_muted(&self, conversation: Uuid, muted: bool) -> Answer {
        let method = if muted { Method::PUT } else { Method::DELETE };
        let path = format!("/v1/conversations/{conversation}/mute");
        self.command(method, &path, None).await
    }

    pub async fn send_message(&self, conversation: Uuid, text: &str) -> Answer {
        let path = format!("/v1/conversations/{conversation}/messages");
        self.command(Method::POST, &path, Some(json!({"text": text})))
            .await
    }

    pub async fn mark_feed_read(&self, up_to: Uuid) -> Answer {
        let body = json!({"up_to": up_to});
        self.command(Method::PUT, "/v1/feed/read", Some(body)).await
    }

    pub async fn delete_message(&self, conversation: Uuid, message: Uuid) -> Answer {
        let path = format!("/v1/conversations/{conversation}/messages/{message}");
        self.command(Method::DELETE, &path, None).await
    }

    pub async fn mark_notifications_read(&self, up_to: Uuid) -> Answer {
        let body = json!({"up_to": up_to});
        self.command(Method::PUT, "/v1/notifications/read", Some(body))
            .await
    }

    pub async fn mark_read(&self, conversation: Uuid, up_to: Uuid) -> Answer {
        let path = format!("/v1/conversations/{conversation}/read");
        self.command(Method::PUT, &path, Some(json!({"up_to": up_to})))
            .await
    }
}

/// The fields of a command for an audience.
pub fn audience_body(audience: &Audience) -> Value {
    let (name, _) = oracle::audience_code(audience);
    let mut body = json!({"audience": name});
    if let Some(tags) = oracle::audience_tags(audience) {
        body["tags"] = json!(tags);
    }
    body
}
