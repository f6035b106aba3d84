//! The interface of a type of record, and the names that records give to resources.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::{Command, TextError};

/// A type of record and the key of a record, for example a post and its id in the file.
pub type Name = (&'static str, String);

/// The ids of the resources that earlier records created.
pub trait Names {
    /// `resource` is the type of the record that created it. The error is for the author of the file.
    fn find(&mut self, resource: &'static str, name: &str) -> Result<Uuid, String>;

    /// The ids of a tag and of its owner.
    fn find_tag(&mut self, name: &str) -> Result<(Uuid, Uuid), String>;

    /// The ids of a post and of its author.
    fn find_post(&mut self, name: &str) -> Result<(Uuid, Uuid), String>;
}

/// A type of record. Its struct has the fields of the file, where other records are named by their ids.
pub trait RecordType: Send + Sync {
    fn at(&self) -> DateTime<Utc>;

    /// What distinguishes the record from others of its type: its id or, if it has none, its fields and time. Equal records
    /// without an id are told apart by how many there were before.
    fn key(&self) -> String;

    /// Checks the texts, and returns the actor and their command. It asks `names` for every record that this one refers to,
    /// whatever the answers are, because parsing collects the references with it.
    fn command(&self, names: &mut dyn Names) -> Result<(Uuid, Command), String>;

    /// Whether later records can refer to this one by its key.
    fn creates_resource(&self) -> bool {
        true
    }

    /// The id of an account that an identity provider vouches for. If the account exists, the record stands for it.
    fn external_account(&self) -> Option<Uuid> {
        None
    }

    /// The members of a conversation. If they are a pair that has a conversation, the record stands for that one.
    fn members(&self) -> &[String] {
        &[]
    }
}

/// Checks a text. The error names the field.
pub fn text<T: TryFrom<String, Error = TextError>>(field: &str, raw: &str) -> Result<T, String> {
    T::try_from(raw.to_owned()).map_err(|error| format!("{field}: {error}"))
}

/// The key of a record without an id.
pub fn key_of_ends(from: &str, to: &str, at: DateTime<Utc>) -> String {
    format!("{from}>{to}@{}", at.timestamp_millis())
}
