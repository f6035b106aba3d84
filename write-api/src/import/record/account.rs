use chrono::{DateTime, Utc};
use feedmill_service::tokens::{MAX_SUBJECT_BYTES, external_account};
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    domain::{AccountCommand, Command},
    import::record_type::{Names, RecordType, text},
    session::StoredHash,
};

/// In bytes.
const MAX_ISSUER: usize = 1_024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountRecord {
    id: String,
    handle: String,
    display_name: String,
    password_hash: Option<String>,
    external: Option<External>,
    at: DateTime<Utc>,
}

/// An account of an identity provider, by the claims `iss` and `sub` of its tokens.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct External {
    issuer: String,
    subject: String,
}

impl External {
    fn check(&self) -> Result<(), String> {
        let issuer = &self.issuer;
        if issuer.is_empty() || issuer.len() > MAX_ISSUER || issuer.contains(char::is_control) {
            return Err(format!(
                "external.issuer: must have 1 to {MAX_ISSUER} bytes, and no control characters"
            ));
        }
        if self.subject.is_empty() || self.subject.len() > MAX_SUBJECT_BYTES {
            return Err(format!(
                "external.subject: must have 1 to {MAX_SUBJECT_BYTES} bytes"
            ));
        }
        Ok(())
    }
}

impl RecordType for AccountRecord {
    fn at(&self) -> DateTime<Utc> {
        self.at
    }

    fn key(&self) -> String {
        self.id.clone()
    }

    fn command(&self, _: &mut dyn Names) -> Result<(Uuid, Command), String> {
        if let Some(hash) = &self.password_hash {
            StoredHash::parse(hash).map_err(|error| format!("password_hash: {error}"))?;
        }
        self.external.as_ref().map_or(Ok(()), External::check)?;
        let command = AccountCommand::Create {
            account: self.external_account(),
            handle: text("handle", &self.handle)?,
            display_name: text("display_name", &self.display_name)?,
            password_hash: self.password_hash.clone(),
        };
        Ok((Uuid::nil(), command.into()))
    }

    fn external_account(&self) -> Option<Uuid> {
        let External { issuer, subject } = self.external.as_ref()?;
        Some(external_account(issuer, subject))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::record::parse;

    /// An account with further fields.
    fn line(fields: &str) -> String {
        format!(
            r#"{{"type":"account","id":"u1","handle":"u1","display_name":"One",{fields},"at":"2004-01-16T14:56:01Z"}}"#
        )
    }

    fn error(fields: &str) -> String {
        parse(line(fields).as_bytes()).err().unwrap()
    }

    #[test]
    fn an_external_account_is_the_one_that_its_tokens_name() {
        let fields = r#""external":{"issuer":"https://id.example/","subject":"auth0|5"}"#;
        let record = parse(line(fields).as_bytes()).ok().unwrap();
        let expected = external_account("https://id.example/", "auth0|5");
        assert_eq!(record.external_account(), Some(expected));
    }

    #[test]
    fn an_error_names_the_field_and_not_the_hash() {
        let found = error(r#""password_hash":"5f4dcc3b5aa765d61d8327deb882cf99""#);
        assert!(found.starts_with("password_hash: "), "{found}");
        assert!(!found.contains("5f4dcc"), "{found}");
        let long = "x".repeat(1_025);
        for (fields, expected) in [
            (r#""external":{"issuer":"i"}"#.to_owned(), "`subject`"),
            (
                r#""external":{"issuer":"","subject":"s"}"#.to_owned(),
                "external.issuer: ",
            ),
            (
                r#""external":{"issuer":"i\nj","subject":"s"}"#.to_owned(),
                "external.issuer: ",
            ),
            (
                r#""external":{"issuer":"i","subject":""}"#.to_owned(),
                "external.subject: ",
            ),
            (
                format!(r#""external":{{"issuer":"i","subject":"{long}"}}"#),
                "external.subject: ",
            ),
        ] {
            let found = error(&fields);
            assert!(found.contains(expected), "{fields}: {found}");
        }
    }
}
