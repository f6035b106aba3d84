//! Leaks that are put into the database of a running Feedmill, as if the predicate or a view had been written wrongly.

use anyhow::{Result, ensure};
use sqlx::{AssertSqlSafe, PgPool};

/// A wrong definition of a function or view of the schema `feed`.
#[derive(Debug, Clone, Copy)]
pub struct Plant {
    pub name: &'static str,
    object: Object,
    /// The part of the definition that is replaced, without white space.
    from: &'static str,
    to: &'static str,
}

#[derive(Debug, Clone, Copy)]
enum Object {
    Function(&'static str),
    View(&'static str),
}

pub const PLANTS: [Plant; 7] = [
    Plant {
        name: "a block with the author of a reply is ignored",
        object: Object::Function("visible"),
        from: "OR NOT EXISTS (SELECT FROM blocked_pairs WHERE account = $2 AND other = $1)",
        to: "OR true",
    },
    Plant {
        name: "a block with the author of the root post is ignored",
        object: Object::Function("visible"),
        from: "OR NOT EXISTS (SELECT FROM blocked_pairs WHERE account = $4 AND other = $1)",
        to: "OR true",
    },
    Plant {
        name: "what is for connections is for everyone",
        object: Object::Function("visible"),
        from: "WHEN 1 THEN coalesce(",
        to: "WHEN 1 THEN true OR coalesce(",
    },
    Plant {
        name: "what is for one tag is for the members of all tags",
        object: Object::Function("visible"),
        from: "WHERE tag = shared.tag AND member = $1",
        to: "WHERE member = $1",
    },
    Plant {
        name: "what is for nobody is for connections",
        object: Object::Function("visible"),
        from: "ELSE false",
        to: "ELSE EXISTS (SELECT FROM connected_pairs WHERE account = a.author AND other = $1)",
    },
    Plant {
        name: "a feed does not check its entries",
        object: Object::Function("visible_root"),
        from: "SELECT true FROM audiences a CROSS JOIN LATERAL visible($1, a.author, a.root, a.author) AS is_visible WHERE a.root = $2",
        to: "SELECT true",
    },
    Plant {
        name: "a block is effective one way only",
        object: Object::View("blocked_pairs"),
        from: "(feed_follows.blocks OR feed_follows.blocked)",
        to: "feed_follows.blocks",
    },
];

impl Plant {
    /// Replaces the definition. Returns the statement that restores it. Errors: the definition does not have the part.
    pub async fn apply(self, pool: &PgPool) -> Result<String> {
        let original: String = match self.object {
            Object::Function(name) => {
                sqlx::query_scalar("SELECT pg_get_functiondef(('feed.' || $1)::regproc)")
                    .bind(name)
                    .fetch_one(pool)
                    .await?
            }
            Object::View(name) => {
                let definition: String =
                    sqlx::query_scalar("SELECT pg_get_viewdef(('feed.' || $1)::regclass)")
                        .bind(name)
                        .fetch_one(pool)
                        .await?;
                format!("CREATE OR REPLACE VIEW feed.{name} AS {definition}")
            }
        };
        let words = |text: &str| {
            let code = text.lines().filter_map(|line| line.split("--").next());
            let words: Vec<_> = code.flat_map(str::split_whitespace).collect();
            words.join(" ")
        };
        let wrong = words(&original).replace(self.from, self.to);
        ensure!(
            wrong != words(&original),
            "{}: not in {original}",
            self.name
        );
        execute(pool, &wrong).await?;
        Ok(original)
    }
}

/// Executes a definition that [`Plant::apply`] returned.
pub async fn execute(pool: &PgPool, definition: &str) -> Result<()> {
    let text = format!("SET LOCAL search_path = feed, public; {definition}");
    let mut transaction = pool.begin().await?;
    sqlx::raw_sql(AssertSqlSafe(text))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}
