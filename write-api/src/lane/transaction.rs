//! One transaction of a lane.

use std::collections::{BTreeSet, HashMap};

use sqlx::PgConnection;

use super::submission::{Answer, Refusal, Submission};
use crate::{
    batch::{Batch, DecideError},
    domain::Clock,
    idempotency::{self, AnswerKey, StoredAnswer},
    log::Entry,
};

/// Decides the submissions and commits. Returns an answer for each of them, in order, and the appended entries.
pub async fn run(
    connection: &mut PgConnection,
    clock: &Clock,
    submissions: &[Submission],
) -> sqlx::Result<(Vec<Result<Answer, Refusal>>, Vec<Entry>)> {
    let partitions: BTreeSet<_> = submissions.iter().map(Submission::partition).collect();
    let mut batch = Batch::open(connection, &partitions).await?;
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
        return replay(earlier);
    }
    let trace = submission.traceparent.as_deref();
    let decided = batch.decide(submission.actor, &submission.command, clock.now(), trace);
    let (outcome, positions) = decided.map_err(|error| match error {
        DecideError::Rejected(rejection) => Refusal::Rejected(rejection),
        DecideError::Encode(_) | DecideError::NotLocked { .. } => {
            let command = submission.command.name();
            tracing::error!(%error, command, "lane: cannot append the event of a command");
            Refusal::Internal
        }
    })?;
    let answer = Answer {
        outcome,
        positions,
        replayed: false,
    };
    if let Some((key, idempotency)) = key {
        let answer = StoredAnswer {
            fingerprint: idempotency.fingerprint.to_vec(),
            answer: serde_json::to_value(&answer).map_err(|_| Refusal::Internal)?,
        };
        // A later submission of this batch may repeat the key.
        stored.insert(key.clone(), answer.clone());
        new.push((key, answer));
    }
    Ok(answer)
}

fn replay(stored: &StoredAnswer) -> Result<Answer, Refusal> {
    match serde_json::from_value(stored.answer.clone()) {
        Ok(answer) => Ok(Answer {
            replayed: true,
            ..answer
        }),
        Err(error) => {
            tracing::error!(%error, "lane: cannot read the stored answer to an idempotency key");
            Err(Refusal::Internal)
        }
    }
}
