//! One transaction of a lane.

use std::collections::{BTreeSet, HashMap};

use feedmill_events::Positions;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Answer, Order, Refusal};
use crate::{
    batch::{Batch, DecideError},
    domain::{Clock, Needs, Outcome},
    store::{
        idempotency::{self, Stored},
        log::Entry,
    },
};

/// An answer as `write.idempotency` keeps it.
#[derive(Serialize, Deserialize)]
struct Kept {
    outcome: Outcome,
    positions: String,
}

/// Decides and commits; one answer for each order, and the events that were appended.
pub async fn orders(
    connection: &mut PgConnection,
    clock: &Clock,
    orders: &[Order],
) -> sqlx::Result<(Vec<Result<Answer, Refusal>>, Vec<Entry>)> {
    let partitions: BTreeSet<_> = orders.iter().map(Order::partition).collect();
    let mut needs = Needs::default();
    for order in orders {
        needs.include(order.actor, &order.command);
    }
    let mut batch = Batch::open(connection, &partitions).await?;
    batch.load(&needs).await?;

    let keys: Vec<(Uuid, String)> = orders.iter().filter_map(key_of).collect();
    let mut known = idempotency::load(batch.connection(), &keys).await?;
    let mut fresh = HashMap::new();
    let mut answers = Vec::with_capacity(orders.len());
    for order in orders {
        answers.push(answer(&mut batch, clock, order, &mut known, &mut fresh));
    }
    idempotency::save(batch.connection(), fresh.into_iter().collect()).await?;
    let appended = batch.commit().await?;
    Ok((answers, appended))
}

fn key_of(order: &Order) -> Option<(Uuid, String)> {
    order
        .idempotency
        .as_ref()
        .map(|idempotency| (order.actor, idempotency.key.clone()))
}

fn answer(
    batch: &mut Batch<'_>,
    clock: &Clock,
    order: &Order,
    known: &mut HashMap<(Uuid, String), Stored>,
    fresh: &mut HashMap<(Uuid, String), Stored>,
) -> Result<Answer, Refusal> {
    if let (Some(idempotency), Some(key)) = (&order.idempotency, key_of(order))
        && let Some(stored) = known.get(&key)
    {
        if stored.fingerprint != idempotency.fingerprint {
            return Err(Refusal::KeyReused);
        }
        return replay(stored).ok_or(Refusal::Internal);
    }
    let trace = order.traceparent.as_deref();
    let (outcome, positions) =
        batch.decide(order.actor, &order.command, clock.now(), trace).map_err(|error| match error {
            DecideError::Rejected(rejection) => Refusal::Rejected(rejection),
            DecideError::Encode(error) => {
                tracing::error!(%error, command = order.command.name(), "an event could not be encoded");
                Refusal::Internal
            }
        })?;
    if let (Some(idempotency), Some(key)) = (&order.idempotency, key_of(order)) {
        let kept = Kept {
            outcome: outcome.clone(),
            positions: positions.to_string(),
        };
        let answer = serde_json::to_value(kept).map_err(|_| Refusal::Internal)?;
        let stored = Stored {
            fingerprint: idempotency.fingerprint.to_vec(),
            answer,
        };
        known.insert(key.clone(), stored.clone());
        fresh.insert(key, stored);
    }
    Ok(Answer {
        outcome,
        positions,
        replayed: false,
    })
}

fn replay(stored: &Stored) -> Option<Answer> {
    let kept: Kept = serde_json::from_value(stored.answer.clone()).ok()?;
    let positions = if kept.positions.is_empty() {
        Positions::default()
    } else {
        kept.positions.parse().ok()?
    };
    Some(Answer {
        outcome: kept.outcome,
        positions,
        replayed: true,
    })
}
