//! What happens in a run, printed with its time.

use std::time::Instant;

/// Prints what happens, with the time since the start.
#[derive(Debug, Clone, Copy)]
pub struct Timeline(Instant);

impl Timeline {
    pub fn start() -> Self {
        Self(Instant::now())
    }

    pub fn print(&self, what: &str) {
        println!("{:7.1} s  {what}", self.0.elapsed().as_secs_f64());
    }
}
