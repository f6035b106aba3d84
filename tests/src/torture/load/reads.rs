//! What a client reads while things go wrong.

use std::time::Duration;

use rand::seq::SliceRandom;
use uuid::Uuid;

use super::client::Torturer;
use crate::client::Answer;

impl Torturer {
    /// Promise 5: nobody but this client deletes its posts, so a read that waits for the post finds it, or says
    /// that it cannot yet.
    pub(super) async fn read_back(&mut self, who: Uuid, post: Uuid, text: &str) {
        let seen = self.client.seen().to_string();
        match self
            .read(who, &format!("/v1/posts/{post}"), Some(&seen))
            .await
        {
            Ok(answer) if answer.status == 200 && answer.json()["text"] == text => {
                self.report.reads += 1;
            }
            Ok(answer) if answer.status == 503 => self.report.reads_refused += 1,
            Err(_) => self.report.reads_refused += 1,
            Ok(answer) => self.report.wrong.push(format!(
                "read back post {post} ({text}) of {who}, waiting for {seen}: {answer:?}"
            )),
        }
    }

    /// Any list, at whatever state: it is answered with 200, or told 503.
    pub(super) async fn glance(&mut self) {
        const PATHS: [&str; 6] = [
            "feed",
            "digest?period=week",
            "conversations",
            "notifications",
            "me",
            "feed?limit=100",
        ];
        let path = PATHS.choose(&mut self.rng).unwrap_or(&"feed");
        let who = *self.accounts.choose(&mut self.rng).expect("an account");
        match self.read(who, &format!("/v1/{path}"), None).await {
            Ok(answer) if answer.status == 200 => self.report.reads += 1,
            // The account itself may not have been projected yet.
            Ok(answer) if answer.status == 503 || answer.status == 404 => {
                self.report.reads_refused += 1;
            }
            Err(_) => self.report.reads_refused += 1,
            Ok(answer) => self.report.wrong.push(format!("GET {path}: {answer:?}")),
        }
    }

    async fn read(
        &mut self,
        who: Uuid,
        path: &str,
        position: Option<&str>,
    ) -> reqwest::Result<Answer> {
        let url = self.stack.read.choose(&mut self.rng).expect("a read-api");
        let client = self.client.with_token(&self.stack.signer.token(who));
        let mut request = client
            .signed(crate::client::http().get(format!("{url}{path}")))
            .timeout(Duration::from_secs(5));
        if let Some(position) = position {
            request = request
                .header("Feedmill-Min-Position", position)
                .header("Prefer", "wait=2");
        }
        client.try_send(request).await
    }
}
