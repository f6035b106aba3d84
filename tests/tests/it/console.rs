//! The operators' console.

mod browser;
mod input;
mod pages;
mod sign_in;
mod visitor;
mod window;

use feedmill_events::Partition;
use feedmill_tests::{
    kit::{Stack, StackConfig},
    log::{self, Raw},
};

/// The tokens of two operators.
pub const ANN: &str = "ann-has-a-token-of-32-characters";
pub const BOB: &str = "bob-has-a-token-of-32-characters";

/// A stack with a console for both.
async fn stack() -> Stack {
    Stack::start(StackConfig {
        environment: vec![("CONSOLE_TOKEN".to_owned(), format!("ann:{ANN},bob:{BOB}"))],
        ..StackConfig::with_default_limits()
    })
    .await
}

/// Appends an event that no projection can apply which takes its type. Returns its place.
async fn append_unreadable(stack: &Stack) -> (Partition, i64) {
    let unreadable = Raw {
        partition: Partition::all().nth(7).expect("64 partitions"),
        event_type: "post.created",
        at: 0,
        body: b"unreadable".to_vec(),
    };
    let places = log::append(&stack.pool, &[unreadable]).await;
    places.expect("a log")[0]
}

/// Runs a subcommand of the projector. Returns what it prints; panics if it fails.
fn operate(stack: &Stack, arguments: &[&str]) -> String {
    let output = stack.run("projector", arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        text(&output.stderr)
    );
    text(&output.stdout)
}
