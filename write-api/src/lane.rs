//! Lanes: workers that commit commands in groups.
//!
//! A lane is a task with a connection of its own. It takes all queued commands that may begin ([`queue`]), decides them in
//! order in one transaction ([`transaction`]), and answers after the commit. Commands that arrive during a commit share the
//! next one. This is group commit: PostgreSQL does it for the fsync, a lane does it for the whole transaction, because a
//! contended row lock makes the whole transaction slow. Under little load, commands begin at once, side by side.

mod queue;
mod submission;
mod transaction;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::FutureExt;
use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use tokio::{sync::oneshot, task::JoinSet, time::timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Instrument;
use uuid::Uuid;

pub use submission::{Answer, Refusal, Submission};

use self::queue::{Group, Queue};
use crate::{
    commit_notifier::CommitNotifier,
    domain::{Clock, Command},
    idempotency::IdempotencyKey,
    metrics::count_appended,
};

/// The maximum number of commands in a transaction.
const MAX_BATCH: usize = 256;
/// The maximum number of waiting commands. Further ones are refused at once.
const MAX_QUEUE: usize = 8_192;
/// A transaction that takes longer is given up, and its connection is closed.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// A connection that was idle for longer is pinged before it is used. Otherwise the first command after a restart of
/// PostgreSQL would be answered 503 although PostgreSQL is available again.
const PING_AFTER_IDLE: Duration = Duration::from_millis(100);
const PING_TIMEOUT: Duration = Duration::from_millis(500);

type Answers = Vec<Result<Answer, Refusal>>;

/// The handle to the lanes. Cheap to clone. When the last clone is dropped, the lanes finish the queue and end.
#[derive(Clone)]
pub struct Lanes {
    queue: Arc<Queue<Submission>>,
    _open: Arc<DropGuard>,
}

impl Lanes {
    /// Starts `count` lanes, each with a connection of its own. `notifier` is given the entries of each commit. The tasks
    /// in the set end when the last `Lanes` is dropped.
    pub fn start(
        database: &PgConnectOptions,
        clock: &Arc<Clock>,
        count: usize,
        notifier: &Arc<CommitNotifier>,
    ) -> (Self, JoinSet<()>) {
        let queue = Arc::new(Queue::new(count, MAX_QUEUE));
        let closed = CancellationToken::new();
        let mut tasks = JoinSet::new();
        for _ in 0..count {
            let lane = Lane {
                options: options(database),
                connection: None,
                clock: Arc::clone(clock),
                notifier: Arc::clone(notifier),
            };
            tasks.spawn(lane.work(Arc::clone(&queue), closed.clone()));
        }
        let lanes = Self {
            queue,
            _open: Arc::new(closed.drop_guard()),
        };
        (lanes, tasks)
    }

    /// Queues a command and waits for its commit. If the caller goes away before a lane takes the command, it is dropped;
    /// later it is carried out all the same.
    pub async fn submit(
        &self,
        actor: Uuid,
        command: Command,
        idempotency: Option<IdempotencyKey>,
        traceparent: Option<String>,
    ) -> Result<Answer, Refusal> {
        let (reply, answer) = oneshot::channel();
        let submission = Submission {
            actor,
            command,
            idempotency,
            traceparent,
            reply,
        };
        let is_wanted = |submission: &Submission| !submission.is_abandoned();
        if !(self.queue).push(submission.partitions(), submission, is_wanted) {
            return Err(Refusal::Overloaded);
        }
        answer.await.unwrap_or(Err(Refusal::Internal))
    }
}

/// Every statement of a lane finds rows by their keys, so one generic plan fits all values. Planning took as long as
/// execution.
fn options(database: &PgConnectOptions) -> PgConnectOptions {
    database.clone().options([
        ("plan_cache_mode", "force_generic_plan"),
        ("enable_seqscan", "off"),
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
    ])
}

struct Lane {
    options: PgConnectOptions,
    /// The connection, and when it was last used.
    connection: Option<(PgConnection, Instant)>,
    clock: Arc<Clock>,
    notifier: Arc<CommitNotifier>,
}

impl Lane {
    async fn work(mut self, queue: Arc<Queue<Submission>>, closed: CancellationToken) {
        loop {
            if let Some(Group { items, claim }) = queue.take(MAX_BATCH) {
                self.process(items).await;
                queue.finish(&claim);
            } else if !closed.is_cancelled() {
                tokio::select! {
                    () = queue.changed() => {}
                    () = closed.cancelled() => {}
                }
            } else if queue.is_empty() {
                return;
            } else {
                queue.changed().await;
            }
        }
    }

    async fn process(&mut self, mut submissions: Vec<Submission>) {
        submissions.retain(|submission| !submission.is_abandoned());
        if submissions.is_empty() {
            return;
        }
        let count = submissions.len();
        metrics::histogram!("lane_batch_commands").record(count as f64);
        let span = tracing::info_span!("lane.batch.commit", commands = count);
        let answers = self.answer(&submissions).instrument(span).await;
        for (submission, answer) in submissions.into_iter().zip(answers) {
            // Fails if the caller has gone away. The command stands.
            let _ = submission.reply.send(answer);
        }
    }

    /// Answers each submission, in order. A batch that fails in SQL is rolled back and retried one by one, so that only the
    /// command that caused the error fails.
    async fn answer(&mut self, submissions: &[Submission]) -> Answers {
        match self.transact(submissions).await {
            Ok(answers) => answers,
            Err(Failure::RolledBack(error)) => {
                let commands = submissions.len();
                if commands > 1 {
                    tracing::warn!(%error, commands, "lane: a batch failed, retrying its commands one by one");
                }
                let mut answers = Vec::with_capacity(commands);
                for submission in submissions {
                    answers.push(self.answer_alone(submission).await);
                }
                answers
            }
            Err(Failure::Lost(reason)) => {
                let lost = |_: &Submission| Err(Refusal::Database(reason.clone()));
                submissions.iter().map(lost).collect()
            }
        }
    }

    /// A command that loses a race with another process, for a handle or an idempotency key, sees the winner on the next
    /// try.
    async fn answer_alone(&mut self, submission: &Submission) -> Result<Answer, Refusal> {
        for _ in 0..3 {
            match self.transact(std::slice::from_ref(submission)).await {
                Ok(mut answers) => return answers.pop().unwrap_or(Err(Refusal::Internal)),
                Err(Failure::RolledBack(error)) => {
                    let command = submission.command.name();
                    tracing::warn!(%error, command, "lane: a command failed in SQL, trying it at most three times");
                }
                Err(Failure::Lost(reason)) => return Err(Refusal::Database(reason)),
            }
        }
        Err(Refusal::Internal)
    }

    /// The connection of the last transaction, if it is usable.
    async fn idle_connection(&mut self) -> Option<PgConnection> {
        let (mut connection, last_used) = self.connection.take()?;
        let usable = last_used.elapsed() < PING_AFTER_IDLE
            || matches!(timeout(PING_TIMEOUT, connection.ping()).await, Ok(Ok(())));
        usable.then_some(connection)
    }

    /// Runs a transaction on the lane's connection. A connection whose state is in doubt is closed.
    async fn transact(&mut self, submissions: &[Submission]) -> Result<Answers, Failure> {
        let mut connection = match self.idle_connection().await {
            Some(connection) => connection,
            None => timeout(CONNECT_TIMEOUT, self.options.connect())
                .await
                .map_err(|_| Failure::Lost("connecting took too long".to_owned()))?
                .map_err(|error| Failure::Lost(error.to_string()))?,
        };
        let run = transaction::run(&mut connection, &self.clock, submissions);
        let caught = std::panic::AssertUnwindSafe(timeout(TRANSACTION_TIMEOUT, run))
            .catch_unwind()
            .await;
        match caught {
            Ok(Ok(Ok((answers, appended)))) => {
                self.connection = Some((connection, Instant::now()));
                if !appended.is_empty() {
                    count_appended(&appended);
                    self.notifier.add(appended);
                }
                Ok(answers)
            }
            Ok(Ok(Err(error))) if is_rolled_back(&error) => {
                self.connection = Some((connection, Instant::now()));
                Err(Failure::RolledBack(error))
            }
            Ok(Ok(Err(error))) => Err(Failure::Lost(error.to_string())),
            Ok(Err(_)) => Err(Failure::Lost("a transaction took too long".to_owned())),
            Err(_) => {
                let commands = submissions.len();
                tracing::error!(commands, "lane: a batch panicked and was not committed");
                Err(Failure::RolledBack(sqlx::Error::WorkerCrashed))
            }
        }
    }
}

enum Failure {
    /// Nothing was stored.
    RolledBack(sqlx::Error),
    /// The connection is unusable. Whether a commit in progress succeeded is unknown.
    Lost(String),
}

/// Whether the error is the statement's own, so that the transaction is certainly rolled back and the connection usable.
/// Errors of other classes (57: shutting down, 53: out of resources, 08: connection) end the connection.
fn is_rolled_back(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| !["57", "53", "08", "XX"].contains(&&code[..2.min(code.len())])),
        sqlx::Error::RowNotFound => true,
        _ => false,
    }
}
