//! Schemathesis: requests that the document allows, and others that it does not, and whether the answers are as it says.

use std::{path::Path, process::Stdio};

use feedmill_tests::kit::{Stack, StackConfig, TempFolder, setting};
use tokio::process::Command;

/// How long it runs, in seconds: `SCHEMATHESIS_SECONDS`.
const DEFAULT_SECONDS: &str = "60";

/// What it is seeded with: `SCHEMATHESIS_SEED`. The same each time, so that a run that fails can be repeated.
const DEFAULT_SEED: &str = "20260101";

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_as_the_document_says() {
    let stack = Stack::start(StackConfig::with_default_limits()).await;
    // What the document's examples name.
    let other = stack.client().create_account("miller", "The Miller").await;
    let other = other.expect(201).id();
    let tester = stack.client().create_account("tester", "Tester").await;
    let tester = tester.expect(201).id();
    let client = stack.client_of(tester);
    let conversation = client.create_conversation(&[other], None).await;
    let conversation = conversation.expect(201).id();
    let message = client.send_message(conversation, "Hello").await;
    let message = message.expect(201).id();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/schemathesis");
    let tools = setting("FEEDMILL_TOOLS").expect("FEEDMILL_TOOLS: deploy/test sets it");
    let seconds = setting("SCHEMATHESIS_SECONDS").unwrap_or_else(|| DEFAULT_SECONDS.to_owned());
    let seed = setting("SCHEMATHESIS_SEED").unwrap_or_else(|| DEFAULT_SEED.to_owned());
    let folder = TempFolder::new();
    for file in ["hooks.py", "schemathesis.toml"] {
        std::fs::copy(source.join(file), folder.path().join(file)).expect("a copy of a file");
    }
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    let status = Command::new(Path::new(&tools).join("python/bin/schemathesis"))
        .args(["--config-file", "schemathesis.toml", "run"])
        .arg(document)
        .args(["--url", &stack.target.write[0], "--max-time", &seconds])
        .args(["--seed", &seed])
        .arg("--no-color")
        .current_dir(folder.path())
        .env("WRITE_API_URL", &stack.target.write[0])
        .env("READ_API_URL", &stack.target.read[0])
        .env("ACCESS_TOKEN", stack.signer.token(tester))
        .env("ACCOUNT", other.to_string())
        .env("CONVERSATION", conversation.to_string())
        .env("MESSAGE", message.to_string())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .status()
        .await
        .expect("schemathesis runs");
    assert!(status.success(), "{status}, see above");
}
