//! The events that a rule depends on.

use chrono::{DateTime, SecondsFormat};
use feedmill_events::{Envelope, Event, EventType, Partition, event::v1::Audience};
use futures::TryStreamExt as _;
use serde::Serialize;
use sqlx::{PgConnection, query};
use uuid::Uuid;

use super::rule::{Facts, Rule};

/// Only the latest so many are shown.
const MAX_EVENTS: usize = 50;

#[derive(Debug, Serialize)]
pub struct Evidence {
    pub at: String,
    pub partition: u8,
    pub seq: i64,
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What it says, without texts and names.
    pub detail: String,
}

/// The types of the events that `visible` depends on.
const TYPES: [EventType; 9] = [
    EventType::PostCreated,
    EventType::AudienceChanged,
    EventType::ConnectionMade,
    EventType::ConnectionEnded,
    EventType::TagMemberAdded,
    EventType::TagMemberRemoved,
    EventType::TagDeleted,
    EventType::AccountBlocked,
    EventType::AccountUnblocked,
];

/// The events in the order of the log. They are in the partitions of the author and of the thread's author, all of which is read.
pub async fn evidence(
    facts: &Facts,
    rule: &Rule,
    db: &mut PgConnection,
) -> anyhow::Result<Vec<Evidence>> {
    let mut partitions = vec![
        Partition::of(facts.author),
        Partition::of(facts.root_author),
        Partition::of(facts.post),
    ];
    partitions.sort_unstable();
    partitions.dedup();
    let partitions: Vec<i16> = partitions.into_iter().map(i16::from).collect();
    let types: Vec<String> = TYPES.iter().map(|it| it.name().to_owned()).collect();
    let statement = query!(
        "/* explain.events */
        SELECT partition, seq, body FROM write.events WHERE partition = ANY($1) AND type = ANY($2) ORDER BY partition, seq",
        &partitions,
        &types,
    );
    let mut rows = statement.fetch(db);
    let mut found = Vec::new();
    while let Some(row) = rows.try_next().await? {
        let Ok(Envelope { at, event, .. }) = Envelope::decode(&row.body) else {
            continue;
        };
        if let Some(detail) = detail(facts, *rule, &event) {
            let time = DateTime::from_timestamp_millis(at).unwrap_or_default();
            found.push(Evidence {
                at: time.to_rfc3339_opts(SecondsFormat::Millis, true),
                partition: row.partition as u8,
                seq: row.seq,
                kind: event.event_type().name(),
                detail,
            });
        }
    }
    found.sort_by(|one, other| one.at.cmp(&other.at));
    Ok(found.split_off(found.len().saturating_sub(MAX_EVENTS)))
}

/// What an event says about the rule. None if it has nothing to do with it.
fn detail(facts: &Facts, rule: Rule, event: &Event) -> Option<String> {
    match event {
        Event::PostCreated(e) if e.post == facts.post || e.post == facts.root => {
            let audience = e.audience.as_ref().map(audience);
            let what = if e.post == facts.root {
                "the thread"
            } else {
                "the reply"
            };
            Some(match audience {
                Some(audience) => format!("{what} begins, for {audience}"),
                None => format!("{what} is created"),
            })
        }
        Event::AudienceChanged(e) if e.post == facts.root => {
            Some(format!("the thread is now for {}", audience(&e.audience)))
        }
        Event::AccountBlocked(e) if is_of_block(facts, rule, e.account, e.other) => {
            Some(format!("{} blocks the other", e.blocker))
        }
        Event::AccountUnblocked(e) if is_of_block(facts, rule, e.account, e.other) => {
            Some(format!("{} does not block the other any more", e.blocker))
        }
        Event::ConnectionMade(e)
            if is_of_thread(facts, e.account, e.other) && facts.audience == 1 =>
        {
            Some("the viewer and the thread's author connect".to_owned())
        }
        Event::ConnectionEnded(e)
            if is_of_thread(facts, e.account, e.other) && facts.audience == 1 =>
        {
            Some("their connection ends".to_owned())
        }
        Event::TagMemberAdded(e) if e.member == facts.viewer && facts.tags.contains(&e.tag) => {
            Some(format!("tag {} has the viewer", e.tag))
        }
        Event::TagMemberRemoved(e) if e.member == facts.viewer && facts.tags.contains(&e.tag) => {
            Some(format!("tag {} does not have the viewer any more", e.tag))
        }
        Event::TagDeleted(e) if facts.tags.contains(&e.tag) => {
            Some(format!("tag {} is deleted", e.tag))
        }
        _ => None,
    }
}

/// A block is in the partitions of both; the author's are read.
fn is_of_block(facts: &Facts, rule: Rule, account: Uuid, other: Uuid) -> bool {
    let with = match rule {
        Rule::BlockedInThread => facts.root_author,
        _ => facts.author,
    };
    account == with && other == facts.viewer
}

fn is_of_thread(facts: &Facts, account: Uuid, other: Uuid) -> bool {
    account == facts.root_author && other == facts.viewer
}

fn audience(audience: &Audience) -> String {
    match audience {
        Audience::Public => "everybody".to_owned(),
        Audience::Connections => "connections".to_owned(),
        Audience::Tags(tags) => {
            let tags: Vec<String> = tags.iter().map(Uuid::to_string).collect();
            format!("the tags {}", tags.join(", "))
        }
        Audience::Me => "nobody else".to_owned(),
    }
}
