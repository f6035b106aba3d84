//! The plan of the load generator.

use std::time::Duration;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// Addresses, such as `127.0.0.1:8081`.
    pub targets: Vec<String>,
    /// Sent in this order, repeatedly.
    pub requests: Vec<Request>,
    pub connections: usize,
    /// Seconds before the measurement.
    pub warm_up: f64,
    /// Seconds of the measurement.
    pub seconds: f64,
    /// Requests per second, sent when they are due (open loop). Without it, each connection sends its next request
    /// after the response (closed loop).
    pub rate: Option<f64>,
    /// Send every request once, regardless of the time.
    pub once: bool,
}

impl Plan {
    /// A closed loop of 16 connections, with a warm-up of 1 s.
    pub fn new(targets: &[&str], requests: Vec<Request>, seconds: f64) -> Self {
        Self {
            targets: targets.iter().map(|&target| target.to_owned()).collect(),
            requests,
            connections: 16,
            warm_up: 1.0,
            seconds,
            rate: None,
            once: false,
        }
    }

    pub(super) fn warm_up(&self) -> Duration {
        Duration::from_secs_f64(self.warm_up)
    }

    pub(super) fn measured(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// An index into [`Plan::targets`].
    pub target: usize,
    /// The complete request.
    pub bytes: String,
}

/// `headers` are complete lines with their line ends.
pub fn get(target: usize, path: &str, headers: &str) -> Request {
    let bytes = format!("GET {path} HTTP/1.1\r\nhost: bench\r\n{headers}\r\n");
    Request { target, bytes }
}

pub fn post(target: usize, path: &str, headers: &str, body: &str) -> Request {
    let bytes = format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\n{headers}content-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    Request { target, bytes }
}

pub fn put_or_delete(target: usize, put: bool, path: &str, headers: &str) -> Request {
    let method = if put { "PUT" } else { "DELETE" };
    let bytes =
        format!("{method} {path} HTTP/1.1\r\nhost: bench\r\n{headers}content-length: 0\r\n\r\n");
    Request { target, bytes }
}
