//! `projector events lost`

use std::{collections::BTreeMap, io::Write as _};

use anyhow::{Context as _, ensure};
use feedmill_events::EventType;
use feedmill_service::nats;

use super::{Texts, pool, write_line};
use crate::{
    config::Config,
    history::{self, EventStream, ShownEvent},
    secrets::ProjectorSecrets,
};

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Print all of them, not only those that took something away
    #[arg(long)]
    all: bool,
    /// Read the stream from its beginning, if some were not found without it
    #[arg(long)]
    whole_stream: bool,
    #[command(flatten)]
    texts: Texts,
}

/// Prints the events that the stream has and the log does not. Their number by type goes to the standard error. Errors: not all of them
/// were found.
pub async fn lost(args: &Args, config: &Config) -> anyhow::Result<()> {
    let pool = pool(config)?;
    let mut db = pool.acquire().await?;
    let key = ProjectorSecrets::read(&mut db).await?.events;
    args.texts.record(None, "lost events", &mut db).await?;
    drop(db);
    let client = nats::connect_once(&config.nats, "projector")
        .await
        .context("cannot connect to NATS")?;
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut out = std::io::stdout().lock();
    let source = EventStream { client, key };
    let missing = history::lost(&pool, source, args.whole_stream, |record| {
        *counts.entry(record.kind.clone()).or_default() += 1;
        if args.all || takes_away(&record.kind) {
            write_line(&mut out, &ShownEvent::new(record, args.texts.texts))?;
        }
        Ok(true)
    })
    .await?;
    out.flush()?;
    let counts = counts.iter().map(|(kind, count)| format!("{count} {kind}"));
    let counts: Vec<_> = counts.collect();
    let summary = if counts.is_empty() {
        "none".to_owned()
    } else {
        counts.join(", ")
    };
    eprintln!("events that the stream has and the log does not: {summary}");
    let missing: Vec<_> = missing.iter().map(ToString::to_string).collect();
    ensure!(
        missing.is_empty(),
        "these may be lost, too, and were not found in the stream: {}; {}",
        missing.join(", "),
        if args.whole_stream {
            "it does not have them any more"
        } else {
            "try --whole-stream"
        }
    );
    Ok(())
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
