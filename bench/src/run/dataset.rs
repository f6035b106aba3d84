//! Who and what is in the database, and the requests that name them.

use std::collections::HashMap;

use anyhow::{Context, Result};
use chrono::DateTime;
use feedmill_service::Signer;
use rand::{Rng, rngs::StdRng, seq::SliceRandom};
use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    before,
    command::Command,
    load::{Request, get},
    words,
};

/// Long enough for every run.
const TOKEN: std::time::Duration = std::time::Duration::from_hours(12);

pub struct World {
    pub accounts: Vec<Uuid>,
    /// Whoever has more than a hundred conversations.
    pub inboxes: Vec<Uuid>,
    /// Root posts and their authors.
    posts: Vec<(Uuid, Uuid)>,
    /// A conversation, and somebody in it.
    members: Vec<(Uuid, Uuid)>,
    /// `(follower, followee)`.
    pub follows: Vec<(Uuid, Uuid)>,
    headers: HashMap<Uuid, String>,
}

impl World {
    pub async fn load(pool: &PgPool, signer: &Signer) -> Result<Self> {
        let accounts: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM write.accounts ORDER BY id")
            .fetch_all(pool)
            .await?;
        let inboxes = sqlx::query_scalar(
            "SELECT user_id FROM write.members GROUP BY 1 HAVING count(*) >= 100 ORDER BY 1",
        );
        let posts = sqlx::query_as(
            "SELECT id, author_id FROM write.posts WHERE reply_to IS NULL ORDER BY id DESC LIMIT 50000",
        );
        let members =
            sqlx::query_as("SELECT conversation_id, user_id FROM write.members ORDER BY 1, 2");
        let follows = sqlx::query_as(
            "SELECT follower_id, followee_id FROM write.follows ORDER BY followed_at LIMIT 20000",
        );
        let now = DateTime::from(std::time::SystemTime::now());
        let mut headers = HashMap::new();
        for account in &accounts {
            let token = signer.sign(*account, TOKEN, now)?;
            headers.insert(*account, format!("authorization: Bearer {token}\r\n"));
        }
        Ok(Self {
            inboxes: inboxes.fetch_all(pool).await?,
            posts: posts.fetch_all(pool).await?,
            members: members.fetch_all(pool).await?,
            follows: follows.fetch_all(pool).await?,
            accounts,
            headers,
        })
    }

    /// So many accounts, each once as far as there are enough, in random order.
    pub fn some(&self, count: usize, rng: &mut StdRng) -> Vec<Uuid> {
        let mut some: Vec<Uuid> = self.accounts.choose_multiple(rng, count).copied().collect();
        some.shuffle(rng);
        some
    }

    /// The header lines with which read-api and write-api know an account.
    pub fn signed(&self, account: Uuid) -> &str {
        self.headers.get(&account).map_or("", String::as_str)
    }

    /// A read of each viewer.
    pub fn reads(&self, viewers: &[Uuid], path: &str) -> Vec<Request> {
        viewers
            .iter()
            .map(|viewer| get(0, path, self.signed(*viewer)))
            .collect()
    }

    /// The same reads of the usual backend.
    pub fn reads_before(viewers: &[Uuid], path: &str) -> Vec<Request> {
        viewers
            .iter()
            .map(|viewer| get(0, path, &format!("{}: {viewer}\r\n", before::VIEWER)))
            .collect()
    }

    /// Of ten commands four are posts, three likes, two follows, one a message.
    pub fn commands(&self, count: usize, rng: &mut StdRng) -> Result<Vec<Command>> {
        let any = |rng: &mut StdRng| self.accounts.choose(rng).copied().context("an account");
        let mut commands = Vec::with_capacity(count);
        while commands.len() < count {
            let actor = any(rng)?;
            let length = rng.gen_range(4..24);
            commands.push(match rng.gen_range(0..10) {
                0..4 => Command::Post {
                    author: actor,
                    text: words::sentence(rng, length),
                },
                4..7 => {
                    let (post, author) = *self.posts.choose(rng).context("a post")?;
                    Command::Like {
                        user: actor,
                        post,
                        author,
                    }
                }
                7..9 => match any(rng)? {
                    followee if followee == actor => continue,
                    followee => Command::Follow {
                        follower: actor,
                        followee,
                    },
                },
                _ => {
                    let (conversation, sender) = *self.members.choose(rng).context("a member")?;
                    Command::Message {
                        sender,
                        conversation,
                        text: words::sentence(rng, length),
                    }
                }
            });
        }
        Ok(commands)
    }

    /// Everybody likes one post, then everybody takes it back: every one of them is an event.
    pub fn likes_of_one(&self, rng: &mut StdRng) -> Result<Vec<Command>> {
        let (post, author) = *self.posts.choose(rng).context("a post")?;
        let like = |user: &Uuid| Command::Like {
            user: *user,
            post,
            author,
        };
        let unlike = |user: &Uuid| Command::Unlike {
            user: *user,
            post,
            author,
        };
        let likes = self.accounts.iter().map(like);
        Ok(likes.chain(self.accounts.iter().map(unlike)).collect())
    }

    /// Commands as requests of their actors to one target.
    pub fn requests(&self, commands: &[Command], target: usize) -> Vec<Request> {
        commands
            .iter()
            .map(|command| command.request(target, self.signed(command.actor())))
            .collect()
    }
}
