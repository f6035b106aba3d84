//! The accounts, posts and conversations in the database, and requests with their ids.

use std::collections::HashMap;

use anyhow::{Context, Result};
use chrono::DateTime;
use feedmill_service::Signer;
use rand::{Rng, rngs::StdRng, seq::SliceRandom};
use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    command::Command,
    load::{Request, get},
    n_plus_one, text,
};

/// Longer than any run.
const TOKEN_TTL: std::time::Duration = std::time::Duration::from_hours(12);

pub struct Dataset {
    pub accounts: Vec<Uuid>,
    /// Accounts with at least 100 conversations.
    pub inboxes: Vec<Uuid>,
    /// Recent root posts with their authors.
    posts: Vec<(Uuid, Uuid)>,
    /// Conversations with a member each.
    members: Vec<(Uuid, Uuid)>,
    /// `(follower, followee)`.
    pub follows: Vec<(Uuid, Uuid)>,
    /// The header lines of each account.
    headers: HashMap<Uuid, String>,
}

impl Dataset {
    /// Reads the ids from write-api's tables, and signs a token for each account.
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
            "SELECT account_id, target_id FROM write.links WHERE kind = 2 ORDER BY since LIMIT 20000",
        );
        let now = DateTime::from(std::time::SystemTime::now());
        let mut headers = HashMap::new();
        for account in &accounts {
            let token = signer.sign(*account, TOKEN_TTL, now)?;
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

    /// `count` different accounts in random order, or all if there are fewer.
    pub fn some(&self, count: usize, rng: &mut StdRng) -> Vec<Uuid> {
        let mut some: Vec<Uuid> = self.accounts.choose_multiple(rng, count).copied().collect();
        some.shuffle(rng);
        some
    }

    /// Errors: the account has none of the recent posts.
    pub fn newest_post_of(&self, account: Uuid) -> Result<Uuid> {
        let mut posts = self.posts.iter();
        let post = posts.find(|(_, author)| *author == account);
        Ok(post.context("the account has no posts")?.0)
    }

    /// The header lines that authenticate an account.
    pub fn headers(&self, account: Uuid) -> &str {
        self.headers.get(&account).map_or("", String::as_str)
    }

    /// A read for each viewer.
    pub fn reads(&self, viewers: &[Uuid], path: &str) -> Vec<Request> {
        viewers
            .iter()
            .map(|viewer| get(0, path, self.headers(*viewer)))
            .collect()
    }

    /// The same reads for the N+1 backend.
    pub fn n_plus_one_reads(viewers: &[Uuid], path: &str) -> Vec<Request> {
        viewers
            .iter()
            .map(|viewer| get(0, path, &format!("{}: {viewer}\r\n", n_plus_one::VIEWER)))
            .collect()
    }

    /// Random commands: 40 % posts, 30 % likes, 20 % follows, 10 % messages.
    pub fn commands(&self, count: usize, rng: &mut StdRng) -> Result<Vec<Command>> {
        let any = |rng: &mut StdRng| {
            self.accounts
                .choose(rng)
                .copied()
                .context("there are no accounts")
        };
        let mut commands = Vec::with_capacity(count);
        while commands.len() < count {
            let actor = any(rng)?;
            let length = rng.gen_range(4..24);
            commands.push(match rng.gen_range(0..10) {
                0..4 => Command::Post {
                    author: actor,
                    text: text::sentence(rng, length),
                },
                4..7 => {
                    let (post, author) = *self.posts.choose(rng).context("there are no posts")?;
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
                    let (conversation, sender) = *self
                        .members
                        .choose(rng)
                        .context("there are no conversations")?;
                    Command::Message {
                        sender,
                        conversation,
                        text: text::sentence(rng, length),
                    }
                }
            });
        }
        Ok(commands)
    }

    /// All accounts like one post, then all unlike it: each command is an event.
    pub fn likes_of_one(&self, rng: &mut StdRng) -> Result<Vec<Command>> {
        let (post, author) = *self.posts.choose(rng).context("there are no posts")?;
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

    /// The requests of commands to one target, authenticated as their actors.
    pub fn requests(&self, commands: &[Command], target: usize) -> Vec<Request> {
        commands
            .iter()
            .map(|command| command.request(target, self.headers(command.actor())))
            .collect()
    }
}
