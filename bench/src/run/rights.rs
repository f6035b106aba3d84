//! Changes of who sees what: how fast they are acknowledged and effective, and whether feeds of others wait for them.

use std::collections::HashMap;

use anyhow::{Context, Result};
use serde_json::json;
use uuid::Uuid;

use super::{
    community::Community,
    context::{Bench, progress},
    endpoints::FEED,
    process::Process,
    row::{Outcome, Runs},
    stack::{CacheMode, relayed},
};
use crate::{
    data::rights::{
        self, AUTHOR, FRIEND, MEMBERS, OWNER, PAIRS, TAG, TAGS, followee, follower, member,
    },
    load::{Expect, Plan, Probe, ProbePlan, get, put_or_delete},
};

/// In milliseconds.
const TARGET: f64 = 1_000.0;
/// The feeds of other accounts that are read meanwhile, per second.
const FEEDS_PER_SECOND: f64 = 200.0;
/// For that long, in seconds: longer than the probes of a kind take.
const FEEDS_SECONDS: f64 = 6.0;
/// Seconds between two probes.
const PAUSE: f64 = 0.05;

/// The servers of the community, each with its own cache; `uncached` caches posts but no responses.
struct Site {
    community: Community,
    write_api: Process,
    _projector: Process,
    read_apis: [Process; 2],
    uncached: Process,
    accounts: HashMap<String, Uuid>,
    /// By owner and name.
    tags: HashMap<(Uuid, String), Uuid>,
}

/// The kind of change with the longest p99 counts; the note has all.
pub async fn measure(bench: &mut Bench) -> Result<Vec<Outcome>> {
    let site = Site::start(bench).await?;
    let quiet = site.feeds_of_others(bench).await?;
    progress(&format!("other feeds: {}", latencies(&quiet)));
    let mut worst = Outcome {
        key: "rights",
        value: 0.0,
        other: format!("{TARGET:.0} ms"),
        ..Outcome::default()
    };
    let mut notes = vec![format!(
        "feeds of others without changes {}",
        latencies(&quiet)
    )];
    for (name, probes) in [
        ("like", site.likes()?),
        ("deleted tag with 5,000 members", site.deleted_tags()?),
        ("membership for 10,000 posts", site.memberships()?),
        ("block", site.blocks()?),
    ] {
        let plan = ProbePlan {
            write: site.write_api.address.clone(),
            reads: site
                .read_apis
                .iter()
                .map(|api| api.address.clone())
                .collect(),
            probes,
            concurrency: 1,
            pause: PAUSE,
        };
        let probing = async {
            // After the warm-up of the load.
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            bench.stack.probe(&plan).await
        };
        let (probed, others) = tokio::join!(probing, site.feeds_of_others(bench));
        let (probed, others) = (probed?, others?);
        let (answered, effective) = (Runs(vec![probed.answered]), Runs(vec![probed.effective]));
        let note = format!(
            "{name}: acknowledged {}, effective {} later, feeds of others {}",
            latencies(&answered),
            latencies(&effective),
            latencies(&others)
        );
        progress(&note);
        notes.push(note);
        worst.failed = worst.failed.or(effective.failure()).or(others.failure());
        let (p50, p99) = (effective.p50(), effective.p99());
        if worst.value < p99 / TARGET {
            worst.value = p99 / TARGET;
            worst.ours = latencies(&effective);
            worst.latencies = Some([[p50, p99], [TARGET, TARGET]]);
            worst.runs = [effective.0, Vec::new()];
        }
    }
    bench.stack.drop(site.stop().await?.database).await?;
    Ok(vec![worst.with_note(notes.join("; "))])
}

fn latencies(runs: &Runs) -> String {
    format!("{:.1} ms, {:.1} ms", runs.p50(), runs.p99())
}

impl Site {
    async fn start(bench: &Bench) -> Result<Self> {
        let community = Community::import(bench, "rights", rights::write).await?;
        let (stack, database) = (&bench.stack, &community.database);
        let write_api = stack.write_api(database).await?;
        // Otherwise the first changes wait behind the imported events.
        relayed(&write_api).await?;
        let projector = stack.projector(database).await?;
        let read_api = |cache| stack.read_api(database, &write_api, cache);
        let read_apis = [
            read_api(CacheMode::Default).await?,
            read_api(CacheMode::Default).await?,
        ];
        let uncached = read_api(CacheMode::OnlyPosts).await?;
        let accounts: Vec<(String, Uuid)> = sqlx::query_as("SELECT handle, id FROM write.accounts")
            .fetch_all(&database.pool)
            .await?;
        let tags: Vec<(Uuid, String, Uuid)> =
            sqlx::query_as("SELECT owner_id, name, id FROM write.tags")
                .fetch_all(&database.pool)
                .await?;
        let tags = tags
            .into_iter()
            .map(|(owner, name, id)| ((owner, name), id));
        Ok(Self {
            write_api,
            _projector: projector,
            read_apis,
            uncached,
            accounts: accounts.into_iter().collect(),
            tags: tags.collect(),
            community,
        })
    }

    /// Stops the servers.
    async fn stop(self) -> Result<Community> {
        self.write_api.stop().await?;
        Ok(self.community)
    }

    /// Reads of uncached feeds at a fixed rate, by members whom no probe is about.
    async fn feeds_of_others(&self, bench: &Bench) -> Result<Runs> {
        let viewers = (TAGS..MEMBERS).map(|index| self.account(&member(index)));
        let viewers: Vec<Uuid> = viewers.collect::<Result<_>>()?;
        let requests = self.community.dataset.reads(&viewers, FEED);
        let mut plan = Plan::new(&[&self.uncached.address], requests, FEEDS_SECONDS);
        plan.rate = Some(FEEDS_PER_SECOND);
        Ok(Runs(vec![bench.stack.load(&plan).await?]))
    }

    /// Each follower likes the post of their followee.
    fn likes(&self) -> Result<Vec<Probe>> {
        let like = |pair: usize| {
            let id = self
                .community
                .dataset
                .newest_post_of(self.account(&followee(pair))?)?;
            let path = format!("/v1/posts/{id}/like");
            let liked = Expect::Present("\"liked_by_me\":true".to_owned());
            self.probe(&follower(pair), true, &path, &follower(pair), liked)
        };
        (0..PAIRS).map(like).collect()
    }

    /// Tags with [`MEMBERS`] members each are deleted. A member reads.
    fn deleted_tags(&self) -> Result<Vec<Probe>> {
        let delete = |index: usize| {
            let name = rights::tag(index);
            let path = format!("/v1/tags/{}", self.tag(OWNER, &name)?);
            self.probe(
                OWNER,
                false,
                &path,
                &member(index),
                Expect::Absent(text(&name)),
            )
        };
        (0..TAGS).map(delete).collect()
    }

    /// A connection comes into the tag of 10,000 posts, and leaves it again.
    fn memberships(&self) -> Result<Vec<Probe>> {
        let friend = self.account(FRIEND)?;
        let path = format!("/v1/tags/{}/members/{friend}", self.tag(AUTHOR, TAG)?);
        let change = |index: usize| {
            let joins = index.is_multiple_of(2);
            let expect = if joins {
                Expect::Present
            } else {
                Expect::Absent
            };
            self.probe(AUTHOR, joins, &path, FRIEND, expect(text(TAG)))
        };
        (0..TAGS).map(change).collect()
    }

    /// Followees block their followers.
    fn blocks(&self) -> Result<Vec<Probe>> {
        let block = |pair: usize| {
            let path = format!("/v1/users/{}/block", self.account(&follower(pair))?);
            let absent = Expect::Absent(text(&followee(pair)));
            self.probe(&followee(pair), true, &path, &follower(pair), absent)
        };
        (0..PAIRS).map(block).collect()
    }

    fn probe(
        &self,
        actor: &str,
        put: bool,
        path: &str,
        reader: &str,
        expect: Expect,
    ) -> Result<Probe> {
        let dataset = &self.community.dataset;
        let (actor, reader) = (self.account(actor)?, self.account(reader)?);
        Ok(Probe {
            command: put_or_delete(0, put, path, dataset.headers(actor)).bytes,
            read: get(0, FEED, dataset.headers(reader)).bytes,
            expect,
        })
    }

    fn account(&self, handle: &str) -> Result<Uuid> {
        let id = self.accounts.get(handle).copied();
        id.with_context(|| format!("there is no account {handle}"))
    }

    fn tag(&self, owner: &str, name: &str) -> Result<Uuid> {
        let id = self.tags.get(&(self.account(owner)?, name.to_owned()));
        id.copied()
            .with_context(|| format!("there is no tag {name}"))
    }
}

/// The text of a post as it is in an answer.
fn text(text: &str) -> String {
    format!("\"text\":{}", json!(text))
}
