//! `projector lost-events`

use std::{collections::BTreeMap, io::Write as _};

use anyhow::Context as _;
use chrono::{DateTime, SecondsFormat};
use feedmill_events::{Envelope, Event, EventType};
use feedmill_service::nats;
use serde::Serialize;
use sqlx::postgres::PgPoolOptions;

use crate::{
    config::Config,
    connection,
    history::{self, EventStream, Record},
    secrets::ProjectorSecrets,
};

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Print all of them, with their texts, not only those that took something away
    #[arg(long)]
    all: bool,
}

/// A line of output.
#[derive(Serialize)]
struct Line<'a> {
    partition: u8,
    seq: i64,
    at: Option<String>,
    #[serde(rename = "type")]
    kind: &'a str,
    data: Option<Event>,
}

/// Prints the events that the stream has and the log does not.
pub async fn lost_events(args: &Args, config: &Config) -> anyhow::Result<()> {
    let options = connection::control_options(&config.database_url)
        .context("PROJECTOR_DATABASE_URL is not a PostgreSQL URL")?;
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .connect_with(options)
        .await?;
    let key = ProjectorSecrets::read(&mut *pool.acquire().await?)
        .await?
        .events;
    let client = nats::connect_once(&config.nats, "projector")
        .await
        .context("cannot connect to NATS")?;
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut out = std::io::stdout().lock();
    history::lost(&pool, EventStream { client, key }, |record| {
        *counts.entry(record.kind.clone()).or_default() += 1;
        if args.all || takes_away(&record.kind) {
            let mut line = serde_json::to_vec(&line(record))?;
            line.push(b'\n');
            out.write_all(&line)?;
        }
        Ok(true)
    })
    .await?;
    let counts: Vec<_> = counts
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let counts = if counts.is_empty() {
        "none".to_owned()
    } else {
        counts.join(", ")
    };
    eprintln!("events that the stream has and the log does not: {counts}");
    Ok(())
}

fn line(record: &Record) -> Line<'_> {
    let envelope = Envelope::decode(&record.body).ok();
    let at = envelope
        .as_ref()
        .and_then(|it| DateTime::from_timestamp_millis(it.at));
    Line {
        partition: record.partition.number(),
        seq: record.seq,
        at: at.map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true)),
        kind: &record.kind,
        data: envelope.map(|it| it.event),
    }
}

/// Whether an event of this type deleted, blocked, hid or took back something, which is there again now that the event is lost. Types
/// that this program does not know are taken for such.
fn takes_away(kind: &str) -> bool {
    !kind.parse().is_ok_and(|event_type| {
        matches!(
            event_type,
            EventType::AccountCreated
                | EventType::ProfileChanged
                | EventType::AccountFollowed
                | EventType::AccountUnmuted
                | EventType::AccountUnblocked
                | EventType::PostCreated
                | EventType::PostLiked
                | EventType::PostBookmarked
                | EventType::ConversationCreated
                | EventType::MessageSent
                | EventType::ConversationRead
                | EventType::ConversationMuted
                | EventType::ConversationUnmuted
                | EventType::ConversationRenamed
                | EventType::MemberAdded
                | EventType::FeedRead
                | EventType::NotificationsRead
                | EventType::ConnectionRequested
                | EventType::ConnectionMade
                | EventType::TagCreated
                | EventType::TagRenamed
                | EventType::TagMemberAdded
        )
    })
}
