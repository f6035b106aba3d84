//! Runs imports and waits for what they lead to.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use tokio::time::sleep;

use crate::{harness::Stack, log};

/// How an import went.
pub struct ImportRun {
    pub success: bool,
    pub output: String,
    pub took: Duration,
    /// Peak resident memory in bytes.
    pub peak: u64,
}

/// Runs `write-api import FILE` to its end.
pub async fn import(stack: &Stack, file: &Path) -> ImportRun {
    let (stack, file) = (stack.clone(), file.display().to_string());
    let began = Instant::now();
    let ran = tokio::task::spawn_blocking(move || stack.write_api(&["import", &file]));
    let (output, peak) = ran.await.expect("the import's thread");
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    ImportRun {
        success: output.status.success(),
        output: text,
        took: began.elapsed(),
        peak,
    }
}

/// Waits until every read model has everything that is in the log now; returns how long that took.
pub async fn wait_until_projected(stack: &Stack, longest: Duration) -> Result<Duration> {
    let began = Instant::now();
    let heads = log::heads(&stack.pool).await?;
    let somebody = sqlx::query_scalar("SELECT id FROM write.accounts LIMIT 1")
        .fetch_one(&stack.pool)
        .await?;
    let client = stack.client_of(somebody);
    client.wait_for(&heads);
    // One read of each projection.
    for path in [
        "/v1/me",
        "/v1/feed",
        "/v1/digest?period=day&date=2020-01-01",
        "/v1/conversations",
        "/v1/notifications",
    ] {
        loop {
            let answer = client.get(path).await;
            if answer.status == 200 {
                break;
            }
            ensure!(
                began.elapsed() < longest,
                "{path} is not there after {longest:?}: {answer:?}"
            );
            sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(began.elapsed())
}

/// Lines that must be refused, as the second line of a file, each by its number and with nothing of it
/// applied: the log afterwards has at most the good first line more.
pub async fn broken_lines(stack: &Stack, folder: &Path) -> Result<usize> {
    let at = "2021-01-01T00:00:01.000Z";
    let tag = format!("{:08x}", rand::random::<u32>());
    let good = format!(
        r#"{{"type":"account","id":"good {tag}","handle":"g_{tag}","display_name":"Good","at":"2021-01-01T00:00:00.000Z"}}"#
    );
    let long = "x".repeat(5_001);
    let broken = [
        "{\"type\":\"post\"".to_owned(),
        "not JSON at all".to_owned(),
        format!(r#"{{"type":"poem","id":"1","at":"{at}"}}"#),
        format!(r#"{{"type":"post","id":"b {tag}","author":"good {tag}","at":"{at}"}}"#),
        format!(
            r#"{{"type":"post","id":"b {tag}","author":"nobody {tag}","text":"x","at":"{at}"}}"#
        ),
        format!(
            r#"{{"type":"post","id":"b {tag}","author":"good {tag}","text":"{long}","at":"{at}"}}"#
        ),
        format!(r#"{{"type":"post","id":"b {tag}","author":"good {tag}","text":" ","at":"{at}"}}"#),
        format!(
            r#"{{"type":"post","id":"b {tag}","author":"good {tag}","text":"x","at":"yesterday"}}"#
        ),
        format!(
            r#"{{"type":"post","id":"b {tag}","author":"good {tag}","text":"x","at":"2020-01-01T00:00:00.000Z"}}"#
        ),
        format!(
            r#"{{"type":"post","id":"b {tag}","author":"good {tag}","text":"x","reply_to":"b","at":"{at}"}}"#
        ),
        format!(r#"{{"type":"follow","from":"good {tag}","to":"good {tag}","at":"{at}"}}"#),
        format!(r#"{{"type":"like","user":"good {tag}","post":"none {tag}","at":"{at}"}}"#),
        format!(
            r#"{{"type":"account","id":"b {tag}","handle":"g_{tag}","display_name":"Same handle","at":"{at}"}}"#
        ),
        format!(
            r#"{{"type":"account","id":"b {tag}","handle":"no good","display_name":"x","at":"{at}"}}"#
        ),
        format!(
            r#"{{"type":"message","id":"b {tag}","conversation":"c {tag}","sender":"good {tag}","text":"x","at":"{at}"}}"#
        ),
    ];
    let events = "SELECT count(*) FROM write.events";
    let file = folder.join("broken.ndjson");
    let before: i64 = sqlx::query_scalar(events).fetch_one(&stack.pool).await?;
    for line in &broken {
        fs::write(&file, format!("{good}\n{line}\n"))?;
        let run = import(stack, &file).await;
        let shown: String = line.chars().take(120).collect();
        ensure!(
            !run.success,
            "an import with this line should fail: {shown}\n{}",
            run.output
        );
        ensure!(
            run.output.contains("line 2"),
            "line 2 should be named: {shown}\n{}",
            run.output
        );
        let after: i64 = sqlx::query_scalar(events).fetch_one(&stack.pool).await?;
        ensure!(
            after <= before + 1,
            "something of this line was applied: {shown}"
        );
    }
    Ok(broken.len())
}
