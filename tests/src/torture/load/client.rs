//! One client: two accounts of its own, one command after the other.

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

use super::{
    Report,
    known::{Known, pick},
};
use crate::{
    client::{Answer, Client},
    harness::Stack,
    property::{self, Action},
    torture::wish::{Entry, Outcome, Wish},
};

/// How long a command is repeated after the end of the load.
const PATIENCE: Duration = Duration::from_mins(1);

pub struct Torturer {
    pub(super) stack: Stack,
    pub(super) client: Client,
    name: String,
    pub(super) rng: StdRng,
    pub(super) accounts: Vec<Uuid>,
    known: Arc<Known>,
    stopping: Arc<AtomicBool>,
    stopped: Option<Instant>,
    commands: usize,
    /// Commands that follow the last one at once.
    burst: usize,
    pub(super) report: Report,
}

impl Torturer {
    pub fn new(
        stack: &Stack,
        seed: u64,
        index: usize,
        known: Arc<Known>,
        stopping: Arc<AtomicBool>,
    ) -> Self {
        Self {
            stack: stack.clone(),
            client: stack.client(),
            name: format!("c{index}"),
            rng: StdRng::seed_from_u64(seed.wrapping_mul(1_000).wrapping_add(index as u64)),
            accounts: Vec::new(),
            known,
            stopping,
            stopped: None,
            commands: 0,
            burst: 0,
            report: Report::default(),
        }
    }

    /// Makes the client's accounts.
    pub async fn sign_up(&mut self) {
        for _ in 0..2 {
            let handle = self.text().replace(' ', "_");
            self.carry_out(Uuid::nil(), Wish::Account { handle }).await;
        }
        let first = &self.report.entries;
        assert_eq!(self.accounts.len(), 2, "{first:?}");
    }

    pub async fn work(mut self) -> Report {
        while !self.stopping.load(Ordering::Relaxed) {
            let action = property::any(&mut self.rng);
            if let Some((who, wish)) = self.wish(action) {
                self.carry_out(who, wish).await;
            }
            if self.rng.gen_bool(0.2) {
                self.glance().await;
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

    /// Said by nobody else, and not by this client before.
    fn text(&mut self) -> String {
        self.commands += 1;
        format!("{} {}", self.name, self.commands)
    }

    /// What an action is for this client, if there is anything to do it to.
    fn wish(&mut self, action: Action) -> Option<(Uuid, Wish)> {
        let text = self.text();
        let known = Arc::clone(&self.known);
        let made = known.lock();
        let own = |index: usize| self.accounts[index % self.accounts.len()];
        let anybody = |index| pick(&made.accounts, index, |_| true);
        let post = |index| pick(&made.posts, index, |_| true).map(|(_, post)| post);
        let talk = |who: Uuid, index, own: bool| {
            let fits = |(_, members): &(Uuid, Vec<Uuid>)| !own || members.contains(&who);
            pick(&made.conversations, index, fits).map(|(id, _)| id)
        };
        let handle = || text.replace(' ', "_");
        let profile = |field, value| Wish::Profile { field, value };
        let wish = match action {
            Action::Account if made.accounts.len() < 40 => {
                return Some((Uuid::nil(), Wish::Account { handle: handle() }));
            }
            Action::Account | Action::Compare => return None,
            Action::Rename { who, taken } => {
                let taken = taken.and_then(|index| pick(&made.handles, index, |_| true));
                (own(who), profile("handle", taken.unwrap_or_else(handle)))
            }
            Action::DisplayName { who, .. } => (own(who), profile("display_name", text)),
            Action::Bio { who, .. } => (own(who), profile("bio", text)),
            Action::Post { who, .. } => (
                own(who),
                Wish::Post {
                    text,
                    reply_to: None,
                },
            ),
            Action::Reply { who, post: to, .. } => {
                let reply_to = Some(post(to)?);
                (own(who), Wish::Post { text, reply_to })
            }
            Action::Delete {
                who,
                post: index,
                own: mine,
            } => {
                let who = own(who);
                let (_, post) = pick(&made.posts, index, |(author, _)| !mine || *author == who)?;
                (who, Wish::Delete { post })
            }
            Action::Like { who, post: index } | Action::Unlike { who, post: index } => {
                let liked = matches!(action, Action::Like { .. });
                let post = post(index)?;
                (own(who), Wish::Like { post, liked })
            }
            Action::Follow { who, whom } | Action::Unfollow { who, whom } => {
                let follows = matches!(action, Action::Follow { .. });
                let whom = anybody(whom)?;
                (own(who), Wish::Follow { whom, follows })
            }
            Action::Pair { who, with } => {
                let with = vec![anybody(with)?];
                (own(who), Wish::Conversation { with, title: None })
            }
            // Enough is enough: everybody's inbox is read to its end.
            Action::Group { .. } if made.conversations.len() > 400 => return None,
            Action::Group { who, with, titled } => {
                let with = with.into_iter().filter_map(anybody).collect();
                let title = titled.then_some(text);
                (own(who), Wish::Conversation { with, title })
            }
            Action::Message {
                who,
                conversation,
                own: mine,
                ..
            } => {
                let who = own(who);
                let conversation = talk(who, conversation, mine)?;
                (who, Wish::Message { conversation, text })
            }
            Action::MarkRead {
                who,
                conversation,
                message,
                own: mine,
                foreign,
            } => {
                let who = own(who);
                let conversation = talk(who, conversation, mine)?;
                let fits = |(talk, _): &(Uuid, Uuid)| foreign || *talk == conversation;
                let (_, up_to) = pick(&made.messages, message, fits)?;
                (
                    who,
                    Wish::MarkRead {
                        conversation,
                        up_to,
                    },
                )
            }
            Action::MarkNotifications {
                who, notification, ..
            } => {
                let up_to = post(notification)?;
                (own(who), Wish::MarkNotifications { up_to })
            }
        };
        Some(wish)
    }

    /// Sends it, again and again with one key, until there is a definite answer.
    async fn carry_out(&mut self, who: Uuid, wish: Wish) {
        let (method, path, body) = wish.request();
        let key = format!("{}-{}", self.name, self.commands);
        let token = self.stack.signer.token(who);
        let mut attempts = 0;
        let outcome = loop {
            let url = self.stack.write.choose(&mut self.rng).expect("a write-api");
            let mut client = self.client.with_write(url);
            if !who.is_nil() {
                client = client.with_token(&token);
            }
            let patience = *[1_000, 5_000, 16_000]
                .choose(&mut self.rng)
                .unwrap_or(&5_000);
            let mut request = client
                .request(method.clone(), &path)
                .header("Idempotency-Key", &key)
                .timeout(Duration::from_millis(patience));
            if let Some(body) = &body {
                request = request.json(body);
            }
            let answer = client.try_send(request).await.ok();
            if let Some(answer) = &answer
                && let Some(outcome) = self.judge(&wish, answer, attempts > 0)
            {
                break outcome;
            }
            attempts += 1;
            self.report.unknown += 1;
            if self.stopping.load(Ordering::Relaxed)
                && self.stopped.get_or_insert_with(Instant::now).elapsed() > PATIENCE
            {
                break Outcome::Unanswered;
            }
            sleep(Duration::from_millis(self.rng.gen_range(50..400))).await;
        };
        self.report.resolved += usize::from(attempts > 0 && outcome != Outcome::Unanswered);
        self.note(who, &wish, outcome);
        self.report.entries.push(Entry {
            who,
            wish: wish.clone(),
            outcome,
        });
        if let (Wish::Post { text, .. }, Outcome::Acknowledged { id: Some(id), .. }) =
            (&wish, outcome)
            && self.rng.gen_bool(0.3)
        {
            self.read_back(who, id, text).await;
        }
    }

    /// The outcome that an answer means; none if it means nothing.
    fn judge(&mut self, wish: &Wish, answer: &Answer, in_doubt: bool) -> Option<Outcome> {
        let status = answer.status.as_u16();
        match status {
            200..=299 => {
                let id = answer.json()["id"].as_str().and_then(|id| id.parse().ok());
                let made = status == 201;
                Some(Outcome::Acknowledged { id, made })
            }
            429 | 503 => None,
            403 | 404 | 409 | 422 => Some(Outcome::Refused { status, in_doubt }),
            _ => {
                self.report.wrong.push(format!("{wish:?}: {answer:?}"));
                None
            }
        }
    }

    fn note(&mut self, who: Uuid, wish: &Wish, outcome: Outcome) {
        let Outcome::Acknowledged { id, .. } = outcome else {
            return;
        };
        if let (Wish::Account { .. }, Some(id)) = (wish, id) {
            self.accounts.push(id);
        }
        self.known.lock().note(who, wish, id);
    }
}
