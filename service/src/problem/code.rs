//! The codes of problems. A problem can only be made with a code, and a code only by [`problem_codes!`](crate::problem_codes),
//! so the lists are complete. They are the source of the API description.

use axum::http::StatusCode;

/// A stable name of a kind of problem, with its HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code(&'static CodeEntry);

/// For [`problem_codes!`](crate::problem_codes).
#[doc(hidden)]
#[derive(Debug, PartialEq, Eq)]
pub struct CodeEntry {
    pub status: StatusCode,
    pub name: &'static str,
    pub description: &'static str,
}

impl Code {
    /// For [`problem_codes!`](crate::problem_codes).
    #[doc(hidden)]
    pub const fn listed(entry: &'static CodeEntry) -> Self {
        Self(entry)
    }

    pub fn status(self) -> StatusCode {
        self.0.status
    }

    /// What clients match on, such as `invalid_request`.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// When a request gets it. For the API description.
    pub fn description(self) -> &'static str {
        self.0.description.trim()
    }
}

/// A list of codes: a constant for each, and `ALL`. The comment of a code is its description for clients.
#[macro_export]
macro_rules! problem_codes {
    ($($(#[doc = $description:literal])+ $code:ident = $status:ident, $name:literal;)+) => {
        $(
            $(#[doc = $description])+
            pub const $code: $crate::problem::Code = $crate::problem::Code::listed(
                &$crate::problem::CodeEntry {
                    status: axum::http::StatusCode::$status,
                    name: $name,
                    description: concat!($($description),+),
                },
            );
        )+

        /// Every code of this list.
        pub const ALL: &[$crate::problem::Code] = &[$($code),+];
    };
}

/// The codes that any service may answer with.
pub mod codes {
    crate::problem_codes! {
        /// The body is not JSON.
        MALFORMED_JSON = BAD_REQUEST, "malformed_json";
        /// The body ended early.
        INCOMPLETE_BODY = BAD_REQUEST, "incomplete_body";
        /// There is no `Host`, more than one, or one that is no host.
        INVALID_HOST = BAD_REQUEST, "invalid_host";
        /// There is no access token, or one that is malformed, expired, or for another audience.
        UNAUTHORIZED = UNAUTHORIZED, "unauthorized";
        /// The session of the token has ended: sign in again.
        SESSION_ENDED = UNAUTHORIZED, "session_ended";
        /// It does not exist, or the caller may not see it.
        NOT_FOUND = NOT_FOUND, "not_found";
        /// The path has no such method; `Allow` has those that it has.
        METHOD_NOT_ALLOWED = METHOD_NOT_ALLOWED, "method_not_allowed";
        /// The body is over the limit of the operation.
        BODY_TOO_LARGE = PAYLOAD_TOO_LARGE, "body_too_large";
        /// The body is not `application/json`.
        UNSUPPORTED_MEDIA_TYPE = UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type";
        /// The body has a `Content-Encoding`, which requests must not have.
        UNSUPPORTED_ENCODING = UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding";
        /// Fields, parameters or headers are invalid: `errors` names them.
        INVALID_REQUEST = UNPROCESSABLE_ENTITY, "invalid_request";
        /// A defect of the service; it was logged.
        INTERNAL = INTERNAL_SERVER_ERROR, "internal";
        /// The database is not available.
        DATABASE_UNAVAILABLE = SERVICE_UNAVAILABLE, "database_unavailable";
        /// A part of the service is not available yet.
        UNAVAILABLE = SERVICE_UNAVAILABLE, "unavailable";
        /// Too many requests are waiting; nothing was changed.
        OVERLOADED = SERVICE_UNAVAILABLE, "overloaded";
        /// The request took too long and was cancelled.
        TIMEOUT = SERVICE_UNAVAILABLE, "timeout";
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::codes;

    #[test]
    fn every_code_has_a_name_of_its_own_and_a_description() {
        let names: BTreeSet<_> = codes::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), codes::ALL.len());
        for code in codes::ALL {
            assert!(code.description().ends_with('.'), "{code:?}");
            assert!(!code.status().is_success(), "{code:?}");
        }
    }
}
