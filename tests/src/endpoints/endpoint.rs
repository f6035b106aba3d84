//! What the tests must know of an endpoint.

use feedmill_events::Projection;
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    WriteApi,
    ReadApi,
}

/// Who may make the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// No token needed.
    Anyone,
    /// Any account.
    Account,
    /// The author of the post; others get 403.
    Author,
    /// The members of the conversation; others get 404.
    Member,
    /// The account that it belongs to; others get 404.
    Owner,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Command,
    /// One thing.
    Read,
    /// A page of a list. The scene has more than one item for Alice.
    List,
    /// An answer of another kind, which has tests of its own.
    Other,
}

/// Values that a field must not have.
pub type BadValues = fn() -> Vec<Value>;

/// The body of a command.
#[derive(Debug, Clone, Copy)]
pub struct Body {
    /// A legal one, as JSON. Its fields are required, unless the method is PATCH.
    pub legal: &'static str,
    /// Fields, required or not, and values that must be refused.
    pub fields: &'static [(&'static str, BadValues)],
}

#[derive(Debug, Clone, Copy)]
pub struct Endpoint {
    pub service: Service,
    pub method: &'static str,
    pub path: &'static str,
    pub access: Access,
    /// Whether it undoes the caller's own act: 204 for any well-formed id.
    pub undo: bool,
    pub kind: Kind,
    pub body: Option<Body>,
    /// In bytes, of a body that is read or ignored.
    pub body_limit: usize,
    /// The read models that an answer is made of: those that a read with a position waits for.
    pub projections: &'static [Projection],
    /// Query strings to read it with.
    pub queries: &'static [&'static str],
    /// Statements that a read takes at most in the default configuration, with nothing cached.
    pub max_statements: i64,
}

impl Endpoint {
    /// Whether a client sends a token with it.
    pub fn needs_token(&self) -> bool {
        self.access != Access::Anyone
    }

    /// Its path with each of its query strings.
    pub fn paths(&self) -> impl Iterator<Item = String> {
        self.queries
            .iter()
            .map(|query| format!("{}{query}", self.path))
    }

    /// Its path with the first of its query strings.
    pub fn first_path(&self) -> String {
        format!("{}{}", self.path, self.queries[0])
    }

    pub fn is_read(&self) -> bool {
        matches!(self.kind, Kind::Read | Kind::List)
    }
}
