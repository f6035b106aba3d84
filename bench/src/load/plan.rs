//! What the load generator is told to do.

use std::time::Duration;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// Addresses, `127.0.0.1:8081`.
    pub targets: Vec<String>,
    /// In this order, and again from the first after the last.
    pub requests: Vec<Request>,
    pub connections: usize,
    /// Seconds that are not measured, and then those that are.
    pub warm_up: f64,
    pub seconds: f64,
    /// Requests a second, whether those before are answered or not; without it, as fast as they are answered.
    pub rate: Option<f64>,
    /// Every request once, however long it takes.
    pub once: bool,
}

impl Plan {
    /// 16 connections, as fast as it goes.
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
    /// An index of the plan's targets.
    pub target: usize,
    /// The whole request.
    pub bytes: String,
}

/// `headers` are whole lines, each with its line end.
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
