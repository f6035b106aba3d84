//! Three accounts: the author of a thread, somebody who replies in it, and a reader whose rights change.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use feedmill_events::event::v1::Audience;
use rand::{Rng, rngs::StdRng, seq::SliceRandom};
use uuid::Uuid;

use super::probe::Probes;
use crate::{
    client::{Answer, Client},
    feed_copy::{FeedCopy, feed_of},
    kit::Target,
    link::LinkKind,
    oracle::Oracle,
};

/// Changes with one thread, before its root post is deleted and another one begins.
const CHANGES_OF_A_THREAD: usize = 40;
/// Changes that are shown when a check fails.
const MAX_HISTORY: usize = 12;

pub struct Scene {
    pub oracle: Oracle,
    pub author: Uuid,
    pub replier: Uuid,
    pub reader: Uuid,
    /// The author's two tags.
    tags: [Uuid; 2],
    /// The posts of the thread, the root post first.
    pub posts: Vec<Uuid>,
    clients: BTreeMap<Uuid, Client>,
    pub probes: Probes,
    copy: FeedCopy,
    changes: usize,
    history: Vec<String>,
}

impl Scene {
    /// Everybody sees everything at first.
    pub async fn new(target: &Target) -> Result<Self> {
        let client = target.client();
        let mut oracle = Oracle::default();
        let mut clients = BTreeMap::new();
        let mut ids = Vec::new();
        for role in ["author", "replier", "reader"] {
            let handle = format!("{role}_{:08x}", rand::random::<u32>());
            let id = client.create_account(&handle, role).await.expect(201).id();
            oracle.create_account(id, &handle, role, 0);
            clients.insert(id, client.with_token(&target.signer.token(id)));
            ids.push(id);
        }
        let [author, replier, reader] = [ids[0], ids[1], ids[2]];
        let probes = Probes::new(target, &clients[&reader], reader, author);
        let copy = FeedCopy::open(target.client_of(reader)).await?;
        let mut scene = Self {
            oracle,
            author,
            replier,
            reader,
            tags: [Uuid::nil(); 2],
            posts: Vec::new(),
            clients,
            probes,
            copy,
            changes: 0,
            history: Vec::new(),
        };
        for index in 0..2 {
            scene.create_tag(index).await?;
        }
        scene.connect(replier).await?;
        for tag in scene.tags {
            scene.add_member(tag, replier).await?;
        }
        scene.connect(reader).await?;
        scene.follow(author).await?;
        scene.follow(replier).await?;
        scene.begin_thread().await?;
        Ok(scene)
    }

    pub fn history(&self) -> &[String] {
        &self.history
    }

    fn client(&self, account: Uuid) -> &Client {
        &self.clients[&account]
    }

    /// A random change, and its kind.
    pub async fn change(&mut self, rng: &mut StdRng) -> Result<&'static str> {
        self.changes += 1;
        if self.changes.is_multiple_of(CHANGES_OF_A_THREAD) {
            return self.delete_root().await;
        }
        if self.changes % CHANGES_OF_A_THREAD == 3 && self.changes > CHANGES_OF_A_THREAD {
            return self.renew().await;
        }
        let (author, replier, reader) = (self.author, self.replier, self.reader);
        let connected = self.oracle.connections.are_connected(author, reader);
        let kind = match rng.gen_range(0..11) {
            0..=2 if self.oracle.posts.contains_key(&self.posts[0]) => {
                self.change_audience(rng).await?;
                "audience"
            }
            3 | 4 if connected => {
                let tag = self.tags[rng.gen_range(0..2)];
                if self.oracle.tags.added_at(tag, reader).is_some() {
                    self.remove_member(tag).await?;
                    "member removed"
                } else {
                    self.add_member(tag, reader).await?;
                    "member added"
                }
            }
            5 => {
                self.replace_tag(rng.gen_range(0..2)).await?;
                "tag deleted"
            }
            6 if connected => {
                self.disconnect().await?;
                "disconnection"
            }
            7 | 8 => {
                let pairs = [
                    (author, reader),
                    (reader, author),
                    (replier, reader),
                    (reader, replier),
                ];
                let (from, to) = *pairs.choose(rng).expect("four pairs");
                self.toggle_block(from, to).await?
            }
            9 if self.follows_author() => self.unfollow().await?,
            _ => self.restore().await?,
        };
        Ok(kind)
    }

    /// The routes that were checked.
    pub async fn check(&mut self) -> Result<Vec<String>> {
        let mut routes = self.probes.check(&self.oracle, &self.posts).await?;
        let (feed, _) = self.oracle.feed(self.reader);
        self.copy.check(&feed_of(&feed), Uuid::nil()).await?;
        routes.push("/v1/stream".to_owned());
        Ok(routes)
    }

    fn note(&mut self, change: String) {
        self.history.push(change);
        if self.history.len() > MAX_HISTORY {
            self.history.remove(0);
        }
    }

    fn expect(answer: &Answer, status: u16) -> Result<()> {
        ensure!(
            answer.status.as_u16() == status,
            "{answer:?} instead of {status}"
        );
        Ok(())
    }

    async fn change_audience(&mut self, rng: &mut StdRng) -> Result<()> {
        let tags = || {
            let mut both = self.tags.to_vec();
            both.sort_unstable();
            both
        };
        let audience = match rng.gen_range(0..7) {
            0 | 1 => Audience::Public,
            2 => Audience::Connections,
            3 => Audience::Tags(vec![self.tags[0]]),
            4 => Audience::Tags(vec![self.tags[1]]),
            5 => Audience::Tags(tags()),
            _ => Audience::Me,
        };
        let root = self.posts[0];
        let answer = self
            .client(self.author)
            .change_audience(root, &audience)
            .await;
        Self::expect(&answer, 204)?;
        self.note(format!("audience {audience:?}"));
        self.oracle.change_audience(root, audience);
        Ok(())
    }

    async fn create_tag(&mut self, index: usize) -> Result<()> {
        let name = format!("tag {:08x}", rand::random::<u32>());
        let answer = self.client(self.author).create_tag(&name).await;
        Self::expect(&answer, 201)?;
        self.tags[index] = answer.id();
        self.oracle.tags.create(answer.id(), self.author, &name);
        Ok(())
    }

    /// Deletes a tag and makes another one. The posts keep the deleted one.
    async fn replace_tag(&mut self, index: usize) -> Result<()> {
        let tag = self.tags[index];
        let path = format!("/v1/tags/{tag}");
        let client = self.client(self.author);
        let answer = client.command(reqwest::Method::DELETE, &path, None).await;
        Self::expect(&answer, 204)?;
        self.oracle.tags.delete(tag);
        self.note(format!("tag {tag} deleted"));
        self.create_tag(index).await?;
        self.add_member(self.tags[index], self.replier).await
    }

    async fn add_member(&mut self, tag: Uuid, member: Uuid) -> Result<()> {
        let answer = self.client(self.author).tag_member(tag, member, true).await;
        Self::expect(&answer, 204)?;
        self.oracle.tags.add(tag, member, 0);
        self.note(format!("{member} in tag {tag}"));
        Ok(())
    }

    async fn remove_member(&mut self, tag: Uuid) -> Result<()> {
        let reader = self.reader;
        let answer = self
            .client(self.author)
            .tag_member(tag, reader, false)
            .await;
        Self::expect(&answer, 204)?;
        self.oracle.tags.remove(tag, reader);
        self.note(format!("reader not in tag {tag}"));
        Ok(())
    }

    /// Of the author with another account.
    async fn connect(&mut self, other: Uuid) -> Result<()> {
        Self::expect(&self.client(other).connection(self.author, true).await, 200)?;
        Self::expect(&self.client(self.author).connection(other, true).await, 200)?;
        self.oracle.connections.connect(other, self.author, 0);
        self.note("connected".to_owned());
        Ok(())
    }

    async fn disconnect(&mut self) -> Result<()> {
        let (author, reader) = (self.author, self.reader);
        Self::expect(&self.client(author).connection(reader, false).await, 204)?;
        self.oracle.connections.end(author, reader);
        self.oracle.tags.disconnect(author, reader);
        self.note("disconnected".to_owned());
        Ok(())
    }

    async fn follow(&mut self, account: Uuid) -> Result<()> {
        Self::expect(&self.client(self.reader).follow(account).await, 204)?;
        self.oracle.link(LinkKind::Follow, self.reader, account, 0);
        self.note(format!("reader follows {account}"));
        Ok(())
    }

    async fn toggle_block(&mut self, from: Uuid, to: Uuid) -> Result<&'static str> {
        let stands = self.oracle.blocks.blocks(from, to);
        Self::expect(&self.client(from).block(to, !stands).await, 204)?;
        self.note(format!("block {from} {to} {}", !stands));
        if stands {
            self.oracle.blocks.unblock(from, to);
            Ok("unblock")
        } else {
            self.oracle.block(from, to, 0);
            Ok("block")
        }
    }

    /// Gives the reader back one thing that a block or the end of a connection took away.
    async fn restore(&mut self) -> Result<&'static str> {
        let (author, replier, reader) = (self.author, self.replier, self.reader);
        for (from, to) in [
            (author, reader),
            (reader, author),
            (replier, reader),
            (reader, replier),
        ] {
            if self.oracle.blocks.blocks(from, to) {
                return self.toggle_block(from, to).await;
            }
        }
        if !self.oracle.connections.are_connected(author, reader) {
            self.connect(reader).await?;
            return Ok("connection");
        }
        for account in [author, replier] {
            let since = self.oracle.linked_since(LinkKind::Follow, reader, account);
            if since.is_none() {
                self.follow(account).await?;
                return Ok("follow");
            }
        }
        self.unfollow().await
    }

    fn follows_author(&self) -> bool {
        let since = self
            .oracle
            .linked_since(LinkKind::Follow, self.reader, self.author);
        since.is_some()
    }

    async fn unfollow(&mut self) -> Result<&'static str> {
        let (author, reader) = (self.author, self.reader);
        let answer = self
            .client(reader)
            .link(LinkKind::Follow, author, false)
            .await;
        Self::expect(&answer, 204)?;
        self.oracle.unlink(LinkKind::Follow, reader, author);
        self.note("reader does not follow the author".to_owned());
        Ok("unfollow")
    }

    async fn delete_root(&mut self) -> Result<&'static str> {
        let root = self.posts[0];
        if self.oracle.posts.contains_key(&root) {
            Self::expect(&self.client(self.author).delete_post(root).await, 204)?;
            self.oracle.delete_post(root);
            self.note("root deleted".to_owned());
        }
        Ok("root deleted")
    }

    /// Ends all blocks and begins another thread.
    async fn renew(&mut self) -> Result<&'static str> {
        let (author, replier, reader) = (self.author, self.replier, self.reader);
        for (from, to) in [
            (author, reader),
            (reader, author),
            (replier, reader),
            (reader, replier),
        ] {
            if self.oracle.blocks.blocks(from, to) {
                self.toggle_block(from, to).await?;
            }
        }
        for post in std::mem::take(&mut self.posts) {
            if let Some(found) = self.oracle.posts.get(&post) {
                let found = found.author;
                Self::expect(&self.client(found).delete_post(post).await, 204)?;
                self.oracle.delete_post(post);
            }
        }
        self.oracle.deleted.clear();
        self.begin_thread().await?;
        Ok("thread begun")
    }

    /// A root post of the author, replies of the replier and of the reader to it, and a reply to the latter.
    async fn begin_thread(&mut self) -> Result<()> {
        let (author, replier, reader) = (self.author, self.replier, self.reader);
        let root = self.client(author).post_to(&Audience::Public, "root").await;
        Self::expect(&root, 201)?;
        let root = root.id();
        self.oracle
            .create_post(root, author, "root", Audience::Public);
        self.posts = vec![root];
        for (who, parent) in [(replier, 0), (reader, 0), (replier, 2)] {
            let parent = self.posts[parent];
            let answer = self.client(who).post("reply", Some(parent)).await;
            Self::expect(&answer, 201)?;
            self.oracle.create_reply(answer.id(), who, "reply", parent);
            self.posts.push(answer.id());
        }
        for kind in [LinkKind::Like, LinkKind::Bookmark] {
            for post in [self.posts[0], self.posts[1]] {
                let answer = self.client(reader).link(kind, post, true).await;
                Self::expect(&answer, 204)?;
                self.oracle.link(kind, reader, post, 0);
            }
        }
        self.note("thread".to_owned());
        Ok(())
    }
}
