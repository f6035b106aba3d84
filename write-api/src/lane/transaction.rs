//! One transaction of a lane.

use std::{collections::HashMap, fmt::Display};

use feedmill_events::PartitionSet;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::submission::{Answer, Refusal, Submission};
use crate::{
    batch::{Batch, DecideError, Decided},
    domain::{Clock, StoredOutcome},
    idempotency::{self, AnswerKey, StoredAnswer},
    log::Entry,
};

/// Decides the submissions and commits. Returns an answer for each of them, in order, and the appended entries.
pub async fn run(
    connection: &mut PgConnection,
    clock: &Clock,
    submissions: &[Submission],
) -> sqlx::Result<(Vec<Result<Answer, Refusal>>, Vec<Entry>)> {
    let mut partitions = PartitionSet::EMPTY;
    for submission in submissions {
        partitions.insert_all(submission.partitions());
    }
    let mut batch = Batch::open(connection, partitions).await?;
    for submission in submissions {
        let actor = submission.actor;
        submission.command.request(actor, batch.state());
    }
    batch.load().await?;

    let keys: Vec<AnswerKey> = submissions.iter().filter_map(answer_key).collect();
    let mut stored = idempotency::load(batch.connection(), &keys).await?;
    let mut new = Vec::new();
    let mut answers = Vec::with_capacity(submissions.len());
    for submission in submissions {
        answers.push(answer(&mut batch, clock, submission, &mut stored, &mut new));
    }
    idempotency::save(batch.connection(), new).await?;
    let appended = batch.commit().await?;
    Ok((answers, appended))
}

fn answer_key(submission: &Submission) -> Option<AnswerKey> {
    let idempotency = submission.idempotency.as_ref()?;
    let scope = idempotency.scope(submission.actor);
    Some((scope, idempotency.key.clone()))
}

/// Decides a submission, or replays the stored answer to its key. `new` are the answers to store.
fn answer(
    batch: &mut Batch<'_>,
    clock: &Clock,
    submission: &Submission,
    stored: &mut HashMap<AnswerKey, StoredAnswer>,
    new: &mut Vec<(AnswerKey, StoredAnswer)>,
) -> Result<Answer, Refusal> {
    let key = answer_key(submission).zip(submission.idempotency.as_ref());
    if let Some((key, idempotency)) = &key
        && let Some(earlier) = stored.get(key)
    {
        if earlier.fingerprint != idempotency.fingerprint {
            return Err(Refusal::KeyReused);
        }
        return replay(batch, submission, earlier);
    }
    let trace = submission.traceparent.as_deref();
    let decided = batch.decide(submission.actor, &submission.command, clock.now(), trace);
    let decided = decided.map_err(|error| match error {
        DecideError::Rejected(rejection) => Refusal::Rejected(rejection),
        DecideError::Encode(_) | DecideError::NotLocked { .. } => {
            let command = submission.command.name();
            tracing::error!(%error, command, "lane: cannot append the event of a command");
            Refusal::Internal
        }
    })?;
    if let Some((key, idempotency)) = key {
        let answer = StoredAnswer {
            fingerprint: idempotency.fingerprint.to_vec(),
            answer: serde_json::to_value(StoredBody::of(&decided))
                .map_err(|_| Refusal::Internal)?,
        };
        // A later submission of this batch may repeat the key.
        stored.insert(key.clone(), answer.clone());
        new.push((key, answer));
    }
    Ok(Answer {
        outcome: decided.outcome,
        positions: decided.positions,
        position: None,
        replayed: false,
        quota: None,
    })
}

/// What is stored under an idempotency key. Of a command that changed nothing, that is only that it did.
#[derive(Serialize, Deserialize)]
struct StoredBody {
    outcome: StoredOutcome,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    positions: String,
}

impl StoredBody {
    fn of(decided: &Decided) -> Self {
        if !decided.changed {
            return Self {
                outcome: StoredOutcome::unchanged(&decided.outcome),
                positions: String::new(),
            };
        }
        Self {
            outcome: StoredOutcome::from(&decided.outcome),
            positions: decided.positions.to_string(),
        }
    }
}

/// The answer to a repeated request. Without a stored position, it is the present one.
fn replay(
    batch: &mut Batch<'_>,
    submission: &Submission,
    stored: &StoredAnswer,
) -> Result<Answer, Refusal> {
    let unreadable = |reason: &dyn Display| {
        tracing::error!(%reason, "lane: cannot read the stored answer to an idempotency key");
        Refusal::Internal
    };
    let body: StoredBody =
        serde_json::from_value(stored.answer.clone()).map_err(|error| unreadable(&error))?;
    let positions = if body.positions.is_empty() {
        batch.position(submission.partitions())
    } else {
        body.positions.parse().map_err(|error| unreadable(&error))?
    };
    let (command, actor) = (&submission.command, submission.actor);
    let outcome = command.restore(body.outcome, batch.state(), actor);
    Ok(Answer {
        outcome: outcome.ok_or_else(|| unreadable(&"it is of another command"))?,
        positions,
        position: None,
        replayed: true,
        quota: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_an_older_version_stored_is_read() {
        let stored = r#"{"outcome":"Done","positions":"12:345"}"#;
        let body: StoredBody = serde_json::from_str(stored).unwrap();
        assert_eq!(body.outcome, StoredOutcome::Done);
        assert_eq!(body.positions, "12:345");
        assert_eq!(serde_json::to_string(&body).unwrap(), stored);
    }
}
