//! Every error of write-api as a problem document: status, stable code, and detail.

use feedmill_service::{FieldError, Problem, problem::codes};

use crate::{
    domain::Rejection,
    lane::Refusal,
    quota::QuotaExceeded,
    session::{Busy, SessionError},
};

feedmill_service::problem_codes! {
    /// The account of the token does not exist.
    UNKNOWN_ACCOUNT = UNAUTHORIZED, "unknown_account";
    /// The handle or the password is wrong.
    WRONG_CREDENTIALS = UNAUTHORIZED, "wrong_credentials";
    /// The refresh token is expired, used or unknown, or its session has ended: sign in again.
    DEAD_TOKEN = UNAUTHORIZED, "dead_token";
    /// It belongs to somebody else.
    NOT_YOURS = FORBIDDEN, "not_yours";
    /// The account receives messages only from accounts that it is connected with.
    MESSAGES_NOT_ACCEPTED = FORBIDDEN, "messages_not_accepted";
    /// Accounts and sessions are managed by an identity provider.
    EXTERNAL_IDENTITY = FORBIDDEN, "external_identity";
    /// Another account has the handle, or gave it up less than 30 days ago.
    HANDLE_TAKEN = CONFLICT, "handle_taken";
    /// The caller blocks the account.
    BLOCKED = CONFLICT, "blocked";
    /// The post is a reply. It has the audience of its thread's root post.
    NOT_A_ROOT_POST = CONFLICT, "not_a_root_post";
    /// One of the two members of the conversation blocks the other one.
    CONVERSATION_CLOSED = CONFLICT, "conversation_closed";
    /// The title and the members of a conversation of two people never change.
    CONVERSATION_OF_TWO = CONFLICT, "conversation_of_two";
    /// The group already has the maximum number of members.
    CONVERSATION_FULL = CONFLICT, "conversation_full";
    /// The account has left the conversation. Only a member who is connected with it can add it again.
    LEFT_CONVERSATION = CONFLICT, "left_conversation";
    /// `current_password` is not the current password.
    WRONG_PASSWORD = UNPROCESSABLE_ENTITY, "wrong_password";
    /// An account cannot follow itself.
    SELF_FOLLOW = UNPROCESSABLE_ENTITY, "self_follow";
    /// An account cannot mute itself.
    SELF_MUTE = UNPROCESSABLE_ENTITY, "self_mute";
    /// An account cannot block itself.
    SELF_BLOCK = UNPROCESSABLE_ENTITY, "self_block";
    /// An account cannot connect with itself.
    SELF_CONNECTION = UNPROCESSABLE_ENTITY, "self_connection";
    /// The other account declined a connection request of the caller less than 30 days ago.
    REQUEST_DECLINED = CONFLICT, "request_declined";
    /// The caller already has the maximum number of unanswered connection requests. Withdraw one to send another.
    TOO_MANY_PENDING_REQUESTS = CONFLICT, "too_many_pending_requests";
    /// Another tag of the caller has this name.
    TAG_EXISTS = CONFLICT, "tag_exists";
    /// The caller already has the maximum number of tags.
    TOO_MANY_TAGS = CONFLICT, "too_many_tags";
    /// The tag already has the maximum number of members.
    TOO_MANY_TAG_MEMBERS = CONFLICT, "too_many_tag_members";
    /// The caller is not connected with the account.
    NOT_CONNECTED = CONFLICT, "not_connected";
    /// The `Idempotency-Key` was used for another request.
    IDEMPOTENCY_KEY_REUSED = UNPROCESSABLE_ENTITY, "idempotency_key_reused";
    /// Too many passwords were wrong.
    TOO_MANY_ATTEMPTS = TOO_MANY_REQUESTS, "too_many_attempts";
    /// The quota of the operation is used up; nothing was changed.
    QUOTA_EXCEEDED = TOO_MANY_REQUESTS, "quota_exceeded";
}

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
                Self::temporary(
                    codes::DATABASE_UNAVAILABLE,
                    "the database does not answer; whether the command was carried out is not known: try \
                     again, with the same Idempotency-Key",
                )
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
            Rejection::NotYours | Rejection::NotOneself => Self::new(NOT_YOURS, detail),
            Rejection::NotARootPost => Self::new(NOT_A_ROOT_POST, detail),
            Rejection::Blocked => Self::new(BLOCKED, detail),
            Rejection::SelfBlock => Self::new(SELF_BLOCK, detail),
            Rejection::HandleTaken => Self::new(HANDLE_TAKEN, &detail)
                .with_errors(vec![FieldError::new("handle", detail)]),
            Rejection::HandleReserved => Self::field("handle", detail),
            Rejection::SelfFollow => Self::new(SELF_FOLLOW, detail),
            Rejection::SelfMute => Self::new(SELF_MUTE, detail),
            Rejection::SelfConnection => Self::new(SELF_CONNECTION, detail),
            Rejection::RequestDeclined => Self::new(REQUEST_DECLINED, detail),
            Rejection::TooManyPendingRequests(_) => Self::new(TOO_MANY_PENDING_REQUESTS, detail),
            Rejection::TagExists => {
                Self::new(TAG_EXISTS, &detail).with_errors(vec![FieldError::new("name", detail)])
            }
            Rejection::TooManyTags(_) => Self::new(TOO_MANY_TAGS, detail),
            Rejection::TooManyTagMembers(_) => Self::new(TOO_MANY_TAG_MEMBERS, detail),
            Rejection::NotConnected => Self::new(NOT_CONNECTED, detail),
            Rejection::NoOtherMember | Rejection::TooManyMembers(_) => {
                Self::field("members", detail)
            }
            Rejection::ConversationOfTwo => Self::new(CONVERSATION_OF_TWO, detail),
            Rejection::ConversationClosed => Self::new(CONVERSATION_CLOSED, detail),
            Rejection::MessagesNotAccepted { field } => {
                let field = field.map(|field| FieldError::new(field, &detail));
                Self::new(MESSAGES_NOT_ACCEPTED, detail).with_errors(field.into_iter().collect())
            }
            Rejection::ConversationFull(_) => Self::new(CONVERSATION_FULL, detail),
            Rejection::LeftConversation => Self::new(LEFT_CONVERSATION, detail),
            Rejection::FutureMark => Self::field("up_to", detail),
        }
    }
}

impl From<QuotaExceeded> for Problem {
    fn from(exceeded: QuotaExceeded) -> Self {
        let mut problem = Self::new(QUOTA_EXCEEDED, exceeded.to_string())
            .with_retry_after(exceeded.retry_after());
        problem.headers.extend(exceeded.state().headers());
        problem
    }
}

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::WrongCredentials => Self::new(WRONG_CREDENTIALS, error.to_string()),
            SessionError::WrongPassword => {
                let detail = error.to_string();
                Self::new(WRONG_PASSWORD, &detail)
                    .with_errors(vec![FieldError::new("current_password", detail)])
            }
            SessionError::HandleTaken => Rejection::HandleTaken.into(),
            SessionError::PasswordIsHandle => Self::field("new_password", error.to_string()),
            SessionError::Ended => Self::new(codes::SESSION_ENDED, error.to_string()),
            SessionError::NotFound => Self::not_found(error.to_string()),
            SessionError::UnknownAccount => unknown_account(),
            SessionError::InvalidToken => Self::new(DEAD_TOKEN, error.to_string()),
            SessionError::TooManyAttempts(wait) => {
                Self::new(TOO_MANY_ATTEMPTS, error.to_string()).with_retry_after(wait)
            }
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
    Problem::new(UNKNOWN_ACCOUNT, "the token's account does not exist")
}

fn key_reused() -> Problem {
    Problem::new(
        IDEMPOTENCY_KEY_REUSED,
        "the Idempotency-Key was used for another request",
    )
}

fn overloaded() -> Problem {
    let detail = "too many requests are waiting; nothing was changed, try again soon";
    Problem::temporary(codes::OVERLOADED, detail)
}
