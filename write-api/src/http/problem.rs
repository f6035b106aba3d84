//! Every error of write-api as a problem document: status, stable code, and detail.

use axum::http::StatusCode;
use feedmill_service::{FieldError, Problem};

use crate::{
    domain::Rejection,
    lane::Refusal,
    quota::QuotaExceeded,
    session::{Busy, SessionError},
};

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Rejected(rejection) => rejection.into(),
            Refusal::KeyReused => key_reused(),
            Refusal::QuotaExceeded(exceeded) => exceeded.into(),
            Refusal::Overloaded => overloaded(),
            Refusal::Database(reason) => {
                tracing::warn!(
                    reason,
                    "write-api: PostgreSQL is not available, answering 503"
                );
                let mut problem = Self::unavailable(
                    "the database does not answer; whether the command was carried out is not known: try \
                     again, with the same Idempotency-Key",
                );
                problem.code = "database_unavailable";
                problem
            }
            Refusal::Internal => Self::internal(&refusal),
        }
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        let detail = rejection.to_string();
        match rejection {
            Rejection::UnknownActor => unknown_account(),
            Rejection::NotFound { field, .. } => {
                let field = field.map(|field| FieldError::new(field, &detail));
                Self::not_found(detail).with_errors(field.into_iter().collect())
            }
            Rejection::NotYours => Self::forbidden("not_yours", detail),
            Rejection::HandleTaken => Self::conflict("handle_taken", &detail)
                .with_errors(vec![FieldError::new("handle", detail)]),
            Rejection::HandleReserved => Self::field("handle", detail),
            Rejection::SelfFollow => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "self_follow", detail)
            }
            Rejection::NoOtherMember | Rejection::TooManyMembers(_) => {
                Self::field("members", detail)
            }
            Rejection::FutureMark => Self::field("up_to", detail),
        }
    }
}

impl From<QuotaExceeded> for Problem {
    fn from(exceeded: QuotaExceeded) -> Self {
        let (status, detail) = (StatusCode::TOO_MANY_REQUESTS, exceeded.to_string());
        let mut problem =
            Self::new(status, "quota_exceeded", detail).with_retry_after(exceeded.retry_after());
        problem.headers.extend(exceeded.state().headers());
        problem
    }
}

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::WrongCredentials => Self::new(
                StatusCode::UNAUTHORIZED,
                "wrong_credentials",
                error.to_string(),
            ),
            SessionError::WrongPassword => {
                let detail = error.to_string();
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "wrong_password", &detail)
                    .with_errors(vec![FieldError::new("current_password", detail)])
            }
            SessionError::HandleTaken => Rejection::HandleTaken.into(),
            SessionError::PasswordIsHandle => Self::field("new_password", error.to_string()),
            SessionError::Ended => {
                Self::new(StatusCode::UNAUTHORIZED, "session_ended", error.to_string())
            }
            SessionError::NotFound => Self::not_found(error.to_string()),
            SessionError::UnknownAccount => unknown_account(),
            SessionError::InvalidToken => {
                Self::new(StatusCode::UNAUTHORIZED, "dead_token", error.to_string())
            }
            SessionError::TooManyAttempts(wait) => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_attempts",
                error.to_string(),
            )
            .with_retry_after(wait),
            SessionError::KeyReused => key_reused(),
            SessionError::Busy(busy) => busy.into(),
            SessionError::Signing(error) => Self::internal(error.as_ref()),
            SessionError::Database(error) => error.into(),
        }
    }
}

impl From<Busy> for Problem {
    fn from(busy: Busy) -> Self {
        match busy {
            Busy::Queue => overloaded(),
            Busy::Broken(_) => Self::internal(&busy),
        }
    }
}

fn unknown_account() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "unknown_account",
        "the token's account does not exist",
    )
}

fn key_reused() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "idempotency_key_reused",
        "the Idempotency-Key was used for another request",
    )
}

fn overloaded() -> Problem {
    let mut problem =
        Problem::unavailable("too many requests are waiting; nothing was changed, try again soon");
    problem.code = "overloaded";
    problem
}
