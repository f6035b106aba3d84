//! Which events, and whether with their texts.

use std::fmt;

use anyhow::ensure;
use chrono::{DateTime, Utc};
use clap::builder::PossibleValuesParser;
use feedmill_events::{EventType, Partition};
use sqlx::PgConnection;
use uuid::Uuid;

use super::time::parse_time;
use crate::{
    audit::{self, AuditEntry},
    command::common::{format_time, partition},
    history::{self, Part, Subject},
};

#[derive(Debug, Clone, Default, clap::Args)]
pub struct Filter {
    /// Only events of this partition, 0 to 63
    #[arg(long, value_parser = partition)]
    pub partition: Option<Partition>,
    /// Start with this sequence number in each partition
    #[arg(long, value_name = "SEQ", value_parser = clap::value_parser!(i64).range(1..))]
    pub from: Option<i64>,
    /// Only events of this type
    #[arg(long = "type", value_name = "NAME", value_parser = PossibleValuesParser::new(EventType::ALL.iter().map(|event_type| event_type.name())))]
    pub kind: Option<String>,
    /// Only events since this time: RFC 3339, or how long ago, such as 90s, 15m, 2h or 3d
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub since: Option<DateTime<Utc>>,
    /// Only events before this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub until: Option<DateTime<Utc>>,
    /// Only events that name this account: a handle (@alice), or an id
    #[arg(long)]
    pub account: Option<String>,
    /// Only events of the thread of this post, or of this conversation. Of a thread with more than 200 posts, those of the latest 200
    #[arg(long, value_name = "ID", conflicts_with = "account")]
    pub thread: Option<Uuid>,
}

impl Filter {
    /// The account or the thread. Errors: the read models have no such account.
    pub async fn subject(&self, db: &mut PgConnection) -> anyhow::Result<Option<Subject>> {
        Ok(match (&self.account, self.thread) {
            (Some(account), _) => Some(Subject::account(history::account_id(account, db).await?)),
            (None, Some(thread)) => Some(Subject::thread(thread, db).await?),
            (None, None) => None,
        })
    }

    /// The part of the log that can have matching events.
    pub fn part(&self, subject: Option<&Subject>) -> Part {
        let one = self.partition.or(subject.and_then(|it| it.partition));
        Part {
            partitions: one.map_or_else(|| Partition::all().collect(), |one| vec![one]),
            from: self.from,
            since: self.since,
        }
    }

    pub fn is_within(&self, at: DateTime<Utc>) -> bool {
        self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
    }

    /// Errors: a filter that `count` does not have.
    pub fn ensure_countable(&self) -> anyhow::Result<()> {
        let is_countable = self.until.is_none() && self.account.is_none() && self.thread.is_none();
        ensure!(
            is_countable,
            "events are counted by partition, from, type and since only; `events dump` has the other filters"
        );
        Ok(())
    }
}

/// For the audit log.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            self.partition.map(|it| format!("partition {it}")),
            self.from.map(|it| format!("from {it}")),
            self.kind.as_ref().map(|it| format!("type {it}")),
            self.since.map(|it| format!("since {}", format_time(it))),
            self.until.map(|it| format!("until {}", format_time(it))),
            self.account.as_ref().map(|it| format!("account {it}")),
            self.thread.map(|it| format!("thread {it}")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() {
            return f.write_str("all events");
        }
        write!(f, "events: {}", parts.join(", "))
    }
}

/// Whether people's texts are shown.
#[derive(Debug, Clone, clap::Args)]
pub struct Texts {
    /// Show texts, names and titles, which are hidden otherwise. Recorded in the audit log
    #[arg(long, requires = "reason")]
    pub texts: bool,
    /// Why, for the audit log
    #[arg(long)]
    pub reason: Option<String>,
    /// Who, for the audit log
    #[arg(long, env = "USER", default_value_t = audit::os_user())]
    pub by: String,
}

impl Texts {
    /// Records it if somebody asks for texts.
    pub async fn record(
        &self,
        event: Option<(Partition, i64)>,
        detail: &str,
        db: &mut PgConnection,
    ) -> sqlx::Result<()> {
        if !self.texts {
            return Ok(());
        }
        let entry = AuditEntry {
            by: &self.by,
            action: "texts",
            partition: event.map(|(partition, _)| partition),
            seq: event.map(|(_, seq)| seq),
            reason: self.reason.as_deref().unwrap_or_default(),
            detail: Some(detail),
            ..AuditEntry::default()
        };
        audit::record(&entry, db).await
    }
}
