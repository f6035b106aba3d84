//! `projector explain @viewer POST`

mod evidence;
mod rule;

use std::{fmt::Write as _, future::Future};

use anyhow::Context as _;
use feedmill_service::sql::named;
use serde::Serialize;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, query, query_scalar};
use uuid::Uuid;

use self::{
    evidence::{Evidence, evidence},
    rule::{Blocks, Facts, Rule},
};
use super::common::{connect, print};
use crate::{
    audit::{self, AuditEntry},
    config::Config,
    connection, history,
    projection::feed,
};

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Who looks: a handle (@alice), or the id of an account
    pub viewer: String,
    /// The id of the post
    pub post: Uuid,
    /// Why, for the audit log
    #[arg(long)]
    pub reason: String,
    /// Who, for the audit log
    #[arg(long, env = "USER", default_value_t = audit::os_user())]
    pub by: String,
    /// Print one JSON object, for programs
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Serialize)]
pub struct Report {
    pub viewer: Uuid,
    pub post: Uuid,
    pub author: Uuid,
    /// The first post of its thread, and its author.
    pub root: Uuid,
    pub root_author: Uuid,
    pub visible: bool,
    pub rule: Rule,
    pub meaning: String,
    /// The events that the rule depends on, in the order of the log.
    pub events: Vec<Evidence>,
}

/// Prints the report.
pub async fn explain(args: &Args, config: &Config) -> anyhow::Result<()> {
    print(&report(args, config).await?, args.json, text)
}

/// The rule of `visible` that decides, and the events behind it, without texts. Errors: there is no such account or post in the
/// read models.
pub async fn report(args: &Args, config: &Config) -> anyhow::Result<Report> {
    let mut control = connect(config).await?;
    let viewer = history::account_id(&args.viewer, &mut control).await?;
    let entry = AuditEntry {
        by: &args.by,
        action: "explain",
        projection: feed::DEFINITION.name(),
        reason: &args.reason,
        detail: Some(&format!("post {} as seen by {viewer}", args.post)),
        ..AuditEntry::default()
    };
    audit::record(&entry, &mut control).await?;
    let options = connection::projection_options(&config.database_url, &feed::DEFINITION)
        .context("PROJECTOR_DATABASE_URL is not a PostgreSQL URL")?
        .options([("statement_timeout", "0")]);
    let mut db = options.connect().await?;
    // One snapshot of the tables; the log may have later events.
    let mut tx = db
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await?;
    let facts = facts(viewer, args.post, &mut tx).await?;
    let is_visible = is_visible(&facts, &mut tx).await?;
    tx.rollback().await?;
    let rule = facts.rule();
    anyhow::ensure!(
        rule.shows() == is_visible,
        "this program ({rule:?}) and the predicate `visible` ({is_visible}) disagree: please report it"
    );
    Ok(Report {
        viewer,
        post: args.post,
        author: facts.author,
        root: facts.root,
        root_author: facts.root_author,
        visible: is_visible,
        meaning: rule.meaning(&facts),
        events: evidence(&facts, &rule, &mut db).await?,
        rule,
    })
}

fn text(report: &Report) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    let sees = if report.visible {
        "sees"
    } else {
        "does not see"
    };
    writeln!(out, "{} {sees} the post {}", report.viewer, report.post)?;
    writeln!(
        out,
        "author {}, thread {} of {}",
        report.author, report.root, report.root_author
    )?;
    writeln!(out, "because {}", report.meaning)?;
    for event in &report.events {
        writeln!(
            out,
            "  {}  {}:{}  {}  {}",
            event.at, event.partition, event.seq, event.kind, event.detail
        )?;
    }
    Ok(out)
}

/// What the tables say about the viewer and the post.
async fn facts(viewer: Uuid, post: Uuid, db: &mut PgConnection) -> anyhow::Result<Facts> {
    let statement = query!(
        r#"/* explain.facts */
        SELECT p.author AS "author!", p.root AS "root!", p.root_author AS "root_author!",
            coalesce(a.audience, 0::smallint) AS "audience!", coalesce(a.tags, '{}') AS "tags!",
            coalesce(own.blocks, false) AS "author_blocks!", coalesce(own.blocked, false) AS "blocks_author!",
            coalesce(thread.blocks, false) AS "root_author_blocks!", coalesce(thread.blocked, false) AS "blocks_root_author!",
            coalesce(thread.connected, false) AS "connected!",
            array(SELECT m.tag FROM tag_members m WHERE m.tag = ANY(a.tags) AND m.member = $1 ORDER BY 1) AS "memberships!"
        FROM posts p
        LEFT JOIN audiences a ON a.root = p.root
        LEFT JOIN feed_follows own ON own.author = p.author AND own.viewer = $1
        LEFT JOIN feed_follows thread ON thread.author = p.root_author AND thread.viewer = $1
        WHERE p.id = $2"#,
        viewer,
        post,
    );
    let row = named("explain.facts", statement.fetch_optional(db)).await?;
    let row = row.with_context(|| {
        format!("there is no post {post} in the read models: it never existed, was deleted, or is not projected yet")
    })?;
    Ok(Facts {
        viewer,
        post,
        author: row.author,
        root: row.root,
        root_author: row.root_author,
        audience: row.audience,
        tags: row.tags,
        with_author: Blocks {
            by_other: row.author_blocks,
            by_viewer: row.blocks_author,
        },
        with_root_author: Blocks {
            by_other: row.root_author_blocks,
            by_viewer: row.blocks_root_author,
        },
        connected: row.connected,
        memberships: row.memberships,
    })
}

/// The predicate itself.
fn is_visible<'a>(
    facts: &Facts,
    db: &'a mut PgConnection,
) -> impl Future<Output = sqlx::Result<bool>> + 'a {
    let statement = query_scalar!(
        r#"/* explain.visible */ SELECT EXISTS (SELECT FROM visible($1, $2, $3, $4)) AS "visible!""#,
        facts.viewer,
        facts.author,
        facts.root,
        facts.root_author,
    );
    named("explain.visible", statement.fetch_one(db))
}
