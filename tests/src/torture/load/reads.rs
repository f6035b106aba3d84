//! What a client reads during the faults.

use std::time::Duration;

use rand::{rngs::StdRng, seq::SliceRandom};
use uuid::Uuid;

use super::report::Report;
use crate::{
    client::{Answer, Client},
    endpoints,
    kit::Target,
};

/// The reads of one account.
pub struct Reader<'a> {
    pub target: &'a Target,
    pub client: &'a Client,
    pub account: Uuid,
    pub rng: &'a mut StdRng,
    pub report: &'a mut Report,
}

impl Reader<'_> {
    /// Reads a post of this client, which nobody else deletes, with its position: the answer is the post, or 503.
    pub async fn read_back(&mut self, post: Uuid, text: &str) {
        let account = self.account;
        let position = self.signed_in().position();
        match self
            .read(&format!("/v1/posts/{post}"), Some(&position))
            .await
        {
            Ok(answer) if answer.status == 200 && answer.json()["text"] == text => {
                self.report.reads += 1;
            }
            Ok(answer) if answer.status == 503 => self.report.reads_refused += 1,
            Err(_) => self.report.reads_refused += 1,
            Ok(answer) => self.report.wrong.push(format!(
                "post {post} ({text}) of {account}, waiting for {position}: {answer:?}"
            )),
        }
    }

    /// Reads anything of the client's own without a position: the answer is 200 or 503.
    pub async fn read_own(&mut self) {
        let paths: Vec<_> = endpoints::own_reads()
            .map(endpoints::Endpoint::first_path)
            .collect();
        let path = paths.choose(self.rng).expect("a path").as_str();
        match self.read(path, None).await {
            Ok(answer) if answer.status == 200 => self.report.reads += 1,
            // 404: the account itself is not projected yet.
            Ok(answer) if answer.status == 503 || answer.status == 404 => {
                self.report.reads_refused += 1;
            }
            Err(_) => self.report.reads_refused += 1,
            Ok(answer) => self.report.wrong.push(format!("GET {path}: {answer:?}")),
        }
    }

    fn signed_in(&self) -> Client {
        let token = self.target.signer.token(self.account);
        self.client.with_token(&token)
    }

    async fn read(&mut self, path: &str, position: Option<&str>) -> reqwest::Result<Answer> {
        let url = self.target.read.choose(self.rng).expect("a read-api");
        let client = self.signed_in();
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
