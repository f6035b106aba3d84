//! Extractors of commands, and the parsing of their fields.

use std::{fmt::Display, net::Ipv4Addr};

use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, request::Parts},
};
use feedmill_service::{
    FieldError, Problem,
    client_address::Peer,
    extract::{Body, parse_json, require_json},
    problem::MAX_ERRORS,
};
use serde::{Deserialize, de::DeserializeOwned};
use utoipa::ToSchema;

use super::problem::EXTERNAL_IDENTITY;
use crate::{
    app::{App, Local},
    client::Client,
    idempotency::IdempotencyKey,
};

const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// A command with a JSON body.
pub struct CommandBody<T> {
    pub body: T,
    pub key: Option<IdempotencyKey>,
}

/// A command without a JSON body. A body is accepted and ignored, except for the idempotency key's fingerprint.
pub struct CommandRequest {
    pub key: Option<IdempotencyKey>,
}

impl<T: DeserializeOwned> FromRequest<App> for CommandBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        require_json(request.headers())?;
        let (bytes, key) = read(request, app).await?;
        Ok(Self {
            body: parse_json(&bytes)?,
            key,
        })
    }
}

impl FromRequest<App> for CommandRequest {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (_, key) = read(request, app).await?;
        Ok(Self { key })
    }
}

/// The body, and the idempotency key with the fingerprint of the request.
async fn read(
    request: Request,
    app: &App,
) -> Result<(bytes::Bytes, Option<IdempotencyKey>), Problem> {
    let key = idempotency_key(request.headers())?;
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let Body(bytes) = Body::from_request(request, app).await?;
    let key = key.map(|key| IdempotencyKey {
        key,
        fingerprint: app.fingerprint(method.as_str(), &path, &bytes),
    });
    Ok((bytes, key))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let bytes = value.as_bytes();
    let fits = (1..=255).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
    match value.to_str() {
        Ok(key) if fits && values.next().is_none() => Ok(Some(key.to_owned())),
        _ => Err(Problem::field(
            IDEMPOTENCY_KEY,
            "must be given once, with 1 to 255 visible ASCII characters",
        )),
    }
}

/// Whom the limits of a request count for that needs no account: the address of the client.
pub struct Stranger(pub Client);

impl FromRequestParts<App> for Stranger {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let peer = parts.extensions.get::<Peer>().copied();
        let peer = peer.unwrap_or(Peer(Ipv4Addr::UNSPECIFIED.into()));
        let address = app.client_address(peer, &parts.headers);
        Ok(Self(Client::Address(address)))
    }
}

/// Refuses a request if accounts belong to an external identity provider, before anything else is checked.
pub struct LocalOnly;

impl FromRequestParts<App> for LocalOnly {
    type Rejection = Problem;

    async fn from_request_parts(_: &mut Parts, app: &App) -> Result<Self, Problem> {
        local(app).map(|_| Self)
    }
}

/// 403 `external_identity` if accounts belong to an external identity provider.
pub fn local(app: &App) -> Result<&Local, Problem> {
    app.local().ok_or_else(|| {
        Problem::new(
            EXTERNAL_IDENTITY,
            "accounts and sessions are managed by the identity provider; send one of its tokens",
        )
    })
}

/// Parses the fields of a body into domain types, and collects the errors of all of them; of very many, the first ones.
#[derive(Default)]
pub struct Fields(Vec<FieldError>);

impl Fields {
    /// None if the field is invalid; [`Fields::problem`] then has the error.
    pub fn take<T>(&mut self, field: &str, value: impl TryInto<T, Error: Display>) -> Option<T> {
        match value.try_into() {
            Ok(value) => Some(value),
            Err(error) => {
                self.refuse(field, error.to_string());
                None
            }
        }
    }

    /// An optional field. The outer None means that it is invalid.
    #[expect(
        clippy::option_option,
        reason = "the outer Option is removed by the caller's match"
    )]
    pub fn take_optional<T>(
        &mut self,
        field: &str,
        value: Option<impl TryInto<T, Error: Display>>,
    ) -> Option<Option<T>> {
        match value {
            None => Some(None),
            Some(value) => self.take(field, value).map(Some),
        }
    }

    /// The id of a resource.
    pub fn take_id(&mut self, field: &str, value: &str) -> Option<uuid::Uuid> {
        let id = uuid::Uuid::try_parse(value).ok();
        if id.is_none() {
            self.refuse(field, "is not an id");
        }
        id
    }

    /// Adds an error of a field.
    pub fn refuse(&mut self, field: &str, message: impl Into<String>) {
        // One more than is listed, so that the problem can say that there are more.
        if self.0.len() <= MAX_ERRORS {
            self.0.push(FieldError::new(field, message));
        }
    }

    /// 422 with the errors.
    pub fn problem(self) -> Problem {
        Problem::fields(self.0)
    }
}

/// Up to where something is read.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadMark {
    /// The id of the last item that is read.
    #[schema(value_type = Uuid)]
    up_to: String,
}

impl ReadMark {
    pub fn parse(&self) -> Result<uuid::Uuid, Problem> {
        let mut fields = Fields::default();
        fields
            .take_id("up_to", &self.up_to)
            .ok_or_else(|| fields.problem())
    }
}
