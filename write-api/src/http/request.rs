//! Taking requests apart.

use std::fmt::Display;

use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, request::Parts},
};
use feedmill_service::{
    FieldError, Problem,
    extract::{Body, parse_json, require_json},
};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    lane::IdempotencyKey,
    state::{App, Local},
};

const KEY_HEADER: &str = "Idempotency-Key";

/// A command with a JSON body, and its idempotency key.
pub struct Told<T> {
    pub body: T,
    pub key: Option<IdempotencyKey>,
}

/// A command that says everything in its path. A body, if any, only tells it from other requests.
pub struct Plain {
    pub key: Option<IdempotencyKey>,
}

impl<T: DeserializeOwned> FromRequest<App> for Told<T> {
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

impl FromRequest<App> for Plain {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (_, key) = read(request, app).await?;
        Ok(Self { key })
    }
}

async fn read(
    request: Request,
    app: &App,
) -> Result<(bytes::Bytes, Option<IdempotencyKey>), Problem> {
    let key = key(request.headers())?;
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let Body(bytes) = Body::from_request(request, app).await?;
    let key = key.map(|key| IdempotencyKey {
        key,
        fingerprint: app.fingerprint(method.as_str(), &path, &bytes),
    });
    Ok((bytes, key))
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(KEY_HEADER).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let bytes = value.as_bytes();
    let fits = (1..=255).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
    match value.to_str() {
        Ok(key) if fits && values.next().is_none() => Ok(Some(key.to_owned())),
        _ => Err(Problem::field(
            KEY_HEADER,
            "must be given once, with 1 to 255 visible ASCII characters",
        )),
    }
}

/// Refuses what only installations with accounts of their own can do, before anything else is looked at.
pub struct LocalOnly;

impl FromRequestParts<App> for LocalOnly {
    type Rejection = Problem;

    async fn from_request_parts(_: &mut Parts, app: &App) -> Result<Self, Problem> {
        local(app).map(|_| Self)
    }
}

/// 403 `external_identity` where accounts are somebody else's.
pub fn local(app: &App) -> Result<&Local, Problem> {
    app.local().ok_or_else(|| {
        Problem::forbidden(
            "external_identity",
            "accounts and sessions are those of the identity provider; bring one of its tokens",
        )
    })
}

/// Turns the fields of a body into domain types, and gathers what does not fit, so that a client hears of all
/// of it at once.
#[derive(Default)]
pub struct Fields(Vec<FieldError>);

impl Fields {
    /// None: the field does not fit, and [`Fields::problem`] will say so.
    pub fn take<T>(&mut self, field: &str, value: impl TryInto<T, Error: Display>) -> Option<T> {
        match value.try_into() {
            Ok(value) => Some(value),
            Err(error) => {
                self.0.push(FieldError::new(field, error.to_string()));
                None
            }
        }
    }

    /// For a field that need not be there. The outer None: it does not fit.
    #[expect(
        clippy::option_option,
        reason = "the caller takes the outer one off in its `let … else`"
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

    /// An id of a thing.
    pub fn take_id(&mut self, field: &str, value: &str) -> Option<uuid::Uuid> {
        let id = uuid::Uuid::try_parse(value).ok();
        if id.is_none() {
            self.0.push(FieldError::new(field, "is not an id"));
        }
        id
    }

    /// What a client is told.
    pub fn problem(self) -> Problem {
        Problem::fields(self.0)
    }
}

/// The body of a command that moves a read mark.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadMark {
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
