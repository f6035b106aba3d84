//! A client with two accounts of its own, which sends one command after the other.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use tokio::time::sleep;
use uuid::Uuid;

use super::{operations::operation, reads::Reader, report::Report, shared::Shared};
use crate::{
    client::{Answer, Client},
    kit::Target,
    property::Generator,
    torture::operation::{HistoryEntry, Operation, Outcome},
};

/// A command is repeated for this time after the end of the load at most.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);

pub struct LoadClient {
    target: Target,
    client: Client,
    name: String,
    rng: StdRng,
    generator: Generator,
    accounts: Vec<Uuid>,
    shared: Arc<Shared>,
    stopping: Arc<AtomicBool>,
    stopped: Option<Instant>,
    commands: usize,
    /// Commands that still follow without a pause.
    burst: usize,
    report: Report,
}

impl LoadClient {
    pub fn new(
        target: &Target,
        seed: u64,
        index: usize,
        shared: Arc<Shared>,
        stopping: Arc<AtomicBool>,
    ) -> Self {
        let seed = seed.wrapping_mul(1_000).wrapping_add(index as u64);
        Self {
            target: target.clone(),
            client: target.client(),
            name: format!("c{index}"),
            rng: StdRng::seed_from_u64(seed),
            generator: Generator::mixed(seed),
            accounts: Vec::new(),
            shared,
            stopping,
            stopped: None,
            commands: 0,
            burst: 0,
            report: Report::default(),
        }
    }

    /// Creates the client's accounts.
    pub async fn sign_up(&mut self) {
        for _ in 0..2 {
            let handle = self.text().replace(' ', "_");
            self.perform(Uuid::nil(), Operation::CreateAccount { handle })
                .await;
        }
        let first = &self.report.entries;
        assert_eq!(self.accounts.len(), 2, "{first:?}");
    }

    pub async fn work(mut self) -> Report {
        while !self.stopping.load(Ordering::Relaxed) {
            let action = self.generator.next_action();
            let text = self.text();
            let operation = operation(action, &self.accounts, &self.shared.lock(), text);
            if let Some((who, operation)) = operation {
                self.perform(who, operation).await;
            }
            if self.rng.gen_bool(0.2) {
                let who = *self.accounts.choose(&mut self.rng).expect("an account");
                self.reader(who).read_own().await;
            }
            if self.burst > 0 {
                self.burst -= 1;
                continue;
            }
            if self.rng.gen_bool(0.02) {
                self.burst = 20;
            }
            sleep(Duration::from_millis(self.rng.gen_range(0..500))).await;
        }
        self.report
    }

    fn reader(&mut self, account: Uuid) -> Reader<'_> {
        Reader {
            target: &self.target,
            client: &self.client,
            account,
            rng: &mut self.rng,
            report: &mut self.report,
        }
    }

    /// A text that nobody has used before.
    fn text(&mut self) -> String {
        self.commands += 1;
        format!("{} {}", self.name, self.commands)
    }

    /// Sends it with an idempotency key until there is a definite answer.
    async fn perform(&mut self, who: Uuid, operation: Operation) {
        let (method, path, body) = operation.request();
        let key = format!("{}-{}", self.name, self.commands);
        let token = self.target.signer.token(who);
        let mut attempts = 0;
        let outcome = loop {
            let url = self
                .target
                .write
                .choose(&mut self.rng)
                .expect("a write-api");
            let mut client = self.client.with_write(url);
            if !who.is_nil() {
                client = client.with_token(&token);
            }
            let timeout = *[1_000, 5_000, 16_000]
                .choose(&mut self.rng)
                .unwrap_or(&5_000);
            let mut request = client
                .request(method.clone(), &path)
                .header("Idempotency-Key", &key)
                .timeout(Duration::from_millis(timeout));
            if let Some(body) = &body {
                request = request.json(body);
            }
            let answer = client.try_send(request).await.ok();
            if let Some(answer) = &answer
                && let Some(outcome) = self.outcome(&operation, answer, attempts > 0)
            {
                break outcome;
            }
            attempts += 1;
            self.report.unknown += 1;
            if self.stopping.load(Ordering::Relaxed)
                && self.stopped.get_or_insert_with(Instant::now).elapsed() > ANSWER_TIMEOUT
            {
                break Outcome::Unanswered;
            }
            sleep(Duration::from_millis(self.rng.gen_range(50..400))).await;
        };
        self.report.resolved += usize::from(attempts > 0 && outcome != Outcome::Unanswered);
        self.note_created(who, &operation, outcome);
        self.report.entries.push(HistoryEntry {
            account: who,
            operation: operation.clone(),
            outcome,
        });
        if let (Operation::Post { text, .. }, Outcome::Acknowledged { id: Some(id), .. }) =
            (&operation, outcome)
            && self.rng.gen_bool(0.3)
        {
            self.reader(who).read_back(id, text).await;
        }
    }

    /// The outcome that an answer tells; none if the answer is not definite.
    fn outcome(
        &mut self,
        operation: &Operation,
        answer: &Answer,
        in_doubt: bool,
    ) -> Option<Outcome> {
        let status = answer.status.as_u16();
        match status {
            200..=299 => {
                let id = answer.json()["id"].as_str().and_then(|id| id.parse().ok());
                let created = status == 201;
                Some(Outcome::Acknowledged { id, created })
            }
            429 | 503 => None,
            403 | 404 | 409 | 422 => Some(Outcome::Refused { status, in_doubt }),
            _ => {
                self.report.wrong.push(format!("{operation:?}: {answer:?}"));
                None
            }
        }
    }

    fn note_created(&mut self, who: Uuid, operation: &Operation, outcome: Outcome) {
        let Outcome::Acknowledged { id, .. } = outcome else {
            return;
        };
        if let (Operation::CreateAccount { .. }, Some(id)) = (operation, id) {
            self.accounts.push(id);
        }
        self.shared.lock().add(who, operation, id);
    }
}
