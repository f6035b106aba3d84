//! Lanes: commands that arrive while a commit is under way share the next one.
//!
//! A lane is a task with a connection of its own. It takes all that is queued and may begin ([`queue`]), decides
//! it in order in one transaction, and answers everyone after the commit. While little is to do, commands begin
//! at once, side by side. (The idea is group commit; PostgreSQL does it for the fsync, a lane does it for the
//! whole transaction, which is what a contended row lock makes slow.)

mod order;
mod queue;
mod run;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::FutureExt;
use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use tokio::{sync::oneshot, task::JoinSet, time::timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Instrument;

pub use order::{Answer, IdempotencyKey, Order, Refusal};

use self::queue::{Batch, Queue};
use crate::{appended::Appended, domain::Clock};

/// The most commands that share a transaction.
const MAX_BATCH: usize = 256;
/// The most commands that wait; beyond it they are refused at once.
const MAX_QUEUE: usize = 8_192;
/// A transaction that takes longer is given up, and its connection with it.
const MAX_TRANSACTION: Duration = Duration::from_secs(10);
const MAX_CONNECT: Duration = Duration::from_secs(3);
/// A connection that was idle for longer is asked whether it lives: PostgreSQL may have been away meanwhile, and
/// the command that finds out would be told 503 although nothing is wrong any more.
const TRUSTED: Duration = Duration::from_millis(100);
const MAX_PING: Duration = Duration::from_millis(500);

struct Job {
    order: Order,
    reply: oneshot::Sender<Result<Answer, Refusal>>,
}

/// The way in. Cheap to clone; when the last clone is gone, the lanes finish what is queued and end.
#[derive(Clone)]
pub struct Lanes {
    queue: Arc<Queue<Job>>,
    _open: Arc<DropGuard>,
}

impl Lanes {
    /// Starts `count` lanes with connections of their own. `appended` is given what each commit
    /// has appended. The tasks in the set end when the last `Lanes` is dropped.
    pub fn start(
        database: &PgConnectOptions,
        clock: &Arc<Clock>,
        count: usize,
        appended: &Arc<Appended>,
    ) -> (Self, JoinSet<()>) {
        let (queue, closed) = (
            Arc::new(Queue::new(count, MAX_QUEUE)),
            CancellationToken::new(),
        );
        let mut tasks = JoinSet::new();
        for _ in 0..count {
            let lane = Lane {
                options: options(database),
                connection: None,
                clock: Arc::clone(clock),
                appended: Arc::clone(appended),
            };
            tasks.spawn(lane.work(Arc::clone(&queue), closed.clone()));
        }
        let lanes = Self {
            queue,
            _open: Arc::new(closed.drop_guard()),
        };
        (lanes, tasks)
    }

    /// Has a command decided, and waits for its commit. A caller that goes away before its command's turn takes
    /// it along; after that it is carried out all the same.
    pub async fn submit(&self, order: Order) -> Result<Answer, Refusal> {
        let (reply, answer) = oneshot::channel();
        let partition = order.partition();
        let is_wanted = |job: &Job| !job.reply.is_closed();
        if !(self.queue).push(partition, Job { order, reply }, is_wanted) {
            return Err(Refusal::Overloaded);
        }
        answer.await.unwrap_or(Err(Refusal::Internal))
    }
}

/// Every statement of a lane finds rows by their keys, so it is planned once, and for that: planning took as long
/// as carrying out.
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
    /// And when it was last of use.
    connection: Option<(PgConnection, Instant)>,
    clock: Arc<Clock>,
    appended: Arc<Appended>,
}

impl Lane {
    async fn work(mut self, queue: Arc<Queue<Job>>, closed: CancellationToken) {
        loop {
            if let Some(Batch { jobs, ticket }) = queue.take(MAX_BATCH) {
                self.carry_out(jobs).await;
                queue.done(&ticket);
            } else if !closed.is_cancelled() {
                tokio::select! {
                    () = queue.news() => {}
                    () = closed.cancelled() => {}
                }
            } else if queue.is_empty() {
                return;
            } else {
                queue.news().await;
            }
        }
    }

    async fn carry_out(&mut self, mut jobs: Vec<Job>) {
        jobs.retain(|job| !job.reply.is_closed());
        if jobs.is_empty() {
            return;
        }
        metrics::histogram!("lane_batch_commands").record(jobs.len() as f64);
        let (orders, replies): (Vec<Order>, Vec<_>) =
            jobs.into_iter().map(|job| (job.order, job.reply)).unzip();
        let span = tracing::info_span!("lane.batch.commit", commands = orders.len());
        let answers = self.answer(&orders).instrument(span).await;
        for (reply, answer) in replies.into_iter().zip(answers) {
            // An error means that the caller has gone; the command stands.
            let _ = reply.send(answer);
        }
    }

    /// One answer for each order. A batch that fails in SQL was rolled back, and is done again one by one, so
    /// that only the command that caused it fails.
    async fn answer(&mut self, orders: &[Order]) -> Vec<Result<Answer, Refusal>> {
        match self.transact(orders).await {
            Ok(answers) => answers,
            Err(Failure::RolledBack(error)) if orders.len() > 1 => {
                tracing::warn!(%error, commands = orders.len(), "a batch failed; its commands are retried one by one");
                let mut answers = Vec::with_capacity(orders.len());
                for order in orders {
                    answers.push(self.alone(order).await);
                }
                answers
            }
            Err(Failure::RolledBack(_)) => match orders {
                [order] => vec![self.alone(order).await],
                _ => Vec::new(),
            },
            Err(Failure::Lost(reason)) => orders
                .iter()
                .map(|_| Err(Refusal::Database(reason.clone())))
                .collect(),
        }
    }

    /// A command that loses a race against another process (for a handle, for an idempotency key) sees at the
    /// next try what it lost to.
    async fn alone(&mut self, order: &Order) -> Result<Answer, Refusal> {
        for _ in 0..3 {
            match self.transact(std::slice::from_ref(order)).await {
                Ok(mut answers) => return answers.pop().unwrap_or(Err(Refusal::Internal)),
                Err(Failure::RolledBack(error)) => {
                    tracing::warn!(%error, command = order.command.name(), "a command failed in SQL");
                }
                Err(Failure::Lost(reason)) => return Err(Refusal::Database(reason)),
            }
        }
        Err(Refusal::Internal)
    }

    /// The connection of the last transaction, if it is still good.
    async fn idle_connection(&mut self) -> Option<PgConnection> {
        let (mut connection, used) = self.connection.take()?;
        let good = used.elapsed() < TRUSTED
            || matches!(timeout(MAX_PING, connection.ping()).await, Ok(Ok(())));
        good.then_some(connection)
    }

    /// Runs a transaction on the lane's connection. One that is in doubt in any way is closed, not used again.
    async fn transact(
        &mut self,
        orders: &[Order],
    ) -> Result<Vec<Result<Answer, Refusal>>, Failure> {
        let mut connection = match self.idle_connection().await {
            Some(connection) => connection,
            None => timeout(MAX_CONNECT, self.options.connect())
                .await
                .map_err(|_| Failure::Lost("connecting took too long".to_owned()))?
                .map_err(|error| Failure::Lost(error.to_string()))?,
        };
        let run = run::orders(&mut connection, &self.clock, orders);
        let caught = std::panic::AssertUnwindSafe(timeout(MAX_TRANSACTION, run))
            .catch_unwind()
            .await;
        match caught {
            Ok(Ok(Ok((answers, appended)))) => {
                self.connection = Some((connection, Instant::now()));
                if !appended.is_empty() {
                    let count = appended.len() as u64;
                    metrics::counter!("log_events_appended_total").increment(count);
                    self.appended.add(appended);
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
                tracing::error!(
                    commands = orders.len(),
                    "a panic in a batch of commands; it was not committed"
                );
                Err(Failure::RolledBack(sqlx::Error::WorkerCrashed))
            }
        }
    }
}

enum Failure {
    /// Nothing was written, and the connection is good.
    RolledBack(sqlx::Error),
    /// The connection is gone, or as good as gone. Whether a commit under way went through is not known.
    Lost(String),
}

/// Whether the server answered with an error of the statement's own, so that the transaction is surely undone. An
/// error of another class (57: shutting down, 53: out of resources, 08: connection) ends the connection.
fn is_rolled_back(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| !["57", "53", "08", "XX"].contains(&&code[..2.min(code.len())])),
        sqlx::Error::RowNotFound => true,
        _ => false,
    }
}
