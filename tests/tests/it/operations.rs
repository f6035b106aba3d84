//! What operators see and do: metrics, the performance of each service, slow work, the caches.

mod metrics;
mod performance;
mod slow_work;
mod stopping;

use feedmill_tests::{
    client::http,
    kit::{Process, Sample, Stack, StackConfig, samples, sum},
};
use reqwest::{Method, StatusCode};
use serde_json::Value;

/// A stack with this setting for all services.
async fn stack_with(settings: &[(&str, &str)]) -> Stack {
    let settings = settings.iter();
    let environment = settings.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Stack::start(StackConfig {
        environment: environment.collect(),
        ..StackConfig::default()
    })
    .await
}

async fn samples_of(process: &Process) -> Vec<Sample> {
    samples(&process.metrics().await)
}

async fn ask(process: &Process, method: Method, path: &str) -> (StatusCode, Value) {
    let url = process.operators_url(path);
    let answer = http().request(method, url).send().await.expect("an answer");
    let status = answer.status();
    (status, answer.json().await.expect("JSON"))
}

/// The whole number that a sum of samples is.
fn count(samples: &[Sample], name: &str, labels: &[(&str, &str)]) -> u64 {
    let sum = sum(samples, name, labels);
    assert!(sum >= 0.0 && sum.fract() == 0.0, "{name}: {sum}");
    sum as u64
}
