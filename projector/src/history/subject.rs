//! What events are about: an account, or a thread.

use anyhow::Context as _;
use feedmill_events::Partition;
use feedmill_service::sql::named;
use sqlx::{PgConnection, query_scalar};
use uuid::Uuid;

/// Of a longer thread, the events of the latest so many posts are found.
const MAX_POSTS: i64 = 200;

/// Matches the events that name one of some ids. An event contains the bytes of the ids in it.
#[derive(Debug, Clone)]
pub struct Subject {
    pub ids: Vec<Uuid>,
    /// Where the events are, if they are all in one partition.
    pub partition: Option<Partition>,
}

impl Subject {
    /// An account, whose events can be in every partition: a like is in that of the post's author.
    pub fn account(id: Uuid) -> Self {
        Self {
            ids: vec![id],
            partition: None,
        }
    }

    /// The thread of a post, as the read models know it, or a conversation. All of its events are in one partition.
    pub async fn thread(id: Uuid, db: &mut PgConnection) -> sqlx::Result<Self> {
        let statement = query_scalar!(
            r#"/* history.thread */
            SELECT id FROM feed.posts WHERE root = coalesce((SELECT root FROM feed.posts WHERE id = $1), $1)
            UNION SELECT root AS "id!" FROM feed.posts WHERE id = $1 AND root IS NOT NULL
            ORDER BY 1 DESC LIMIT $2"#,
            id,
            MAX_POSTS,
        );
        let posts = named("history.thread", statement.fetch_all(db)).await?;
        let mut ids: Vec<Uuid> = posts.into_iter().flatten().collect();
        if !ids.contains(&id) {
            ids.push(id);
        }
        Ok(Self {
            ids,
            partition: Some(Partition::of(id)),
        })
    }

    pub fn is_named_in(&self, body: &[u8]) -> bool {
        let mut ids = self.ids.iter();
        ids.any(|id| body.windows(16).any(|bytes| bytes == id.as_bytes()))
    }

    /// For SQL.
    pub fn bytes(&self) -> Vec<Vec<u8>> {
        let ids = self.ids.iter();
        ids.map(|id| id.as_bytes().to_vec()).collect()
    }
}

/// The id of the account that is written as a handle (`@alice`) or as an id. Errors: the read models have no such account.
pub async fn account_id(text: &str, db: &mut PgConnection) -> anyhow::Result<Uuid> {
    let found = if let Ok(id) = text.parse::<Uuid>() {
        let statement = query_scalar!(
            "/* explain.account */ SELECT id FROM profiles.accounts WHERE id = $1",
            id
        );
        named("explain.account", statement.fetch_optional(db)).await?
    } else {
        let handle = text.trim_start_matches('@').to_lowercase();
        let statement = query_scalar!(
            "/* explain.handle */ SELECT id FROM profiles.accounts WHERE handle = $1",
            handle
        );
        named("explain.handle", statement.fetch_optional(db)).await?
    };
    found.with_context(|| format!("there is no account {text} in the read models"))
}
