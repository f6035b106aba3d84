//! Import files with a line that must be refused.

use std::{fs, path::Path};

use anyhow::{Result, ensure};

use super::run::import;
use crate::kit::Target;

/// Imports files whose second line must be refused. Fails unless each import names this line and applies nothing of
/// it: the log grows by the first line at most. Returns the number of files.
pub async fn broken_lines(target: &Target, folder: &Path) -> Result<usize> {
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
        format!(
            r#"{{"type":"post","id":"b {tag}","author":"good {tag}","text":"x","audience":"friends","at":"{at}"}}"#
        ),
        format!(
            r#"{{"type":"post","id":"b {tag}","author":"good {tag}","text":"x","audience":"tags","at":"{at}"}}"#
        ),
        format!(
            r#"{{"type":"post","id":"b {tag}","author":"good {tag}","text":"x","audience":"tags","tags":["none {tag}"],"at":"{at}"}}"#
        ),
        format!(r#"{{"type":"audience","post":"none {tag}","audience":"me","at":"{at}"}}"#),
        format!(r#"{{"type":"post_deleted","id":"none {tag}","at":"{at}"}}"#),
        format!(r#"{{"type":"block","from":"good {tag}","to":"good {tag}","at":"{at}"}}"#),
        format!(r#"{{"type":"follow","from":"good {tag}","to":"good {tag}","at":"{at}"}}"#),
        format!(r#"{{"type":"like","user":"good {tag}","post":"none {tag}","at":"{at}"}}"#),
        format!(
            r#"{{"type":"account","id":"b {tag}","handle":"g_{tag}","display_name":"Same handle","at":"{at}"}}"#
        ),
        format!(
            r#"{{"type":"account","id":"b {tag}","handle":"no good","display_name":"x","at":"{at}"}}"#
        ),
        format!(
            r#"{{"type":"account","id":"b {tag}","handle":"b_{tag}","display_name":"a\u202eb","at":"{at}"}}"#
        ),
        format!(
            r#"{{"type":"account","id":"b {tag}","handle":"b_{tag}","display_name":"x","password_hash":"$1$x$y","at":"{at}"}}"#
        ),
        format!(
            r#"{{"type":"account","id":"b {tag}","handle":"b_{tag}","display_name":"x","external":{{"issuer":"x","subject":""}},"at":"{at}"}}"#
        ),
        format!(
            r#"{{"type":"message","id":"b {tag}","conversation":"c {tag}","sender":"good {tag}","text":"x","at":"{at}"}}"#
        ),
    ];
    let events = "SELECT count(*) FROM write.events";
    let file = folder.join("broken.ndjson");
    let before: i64 = sqlx::query_scalar(events).fetch_one(&target.pool).await?;
    for line in &broken {
        fs::write(&file, format!("{good}\n{line}\n"))?;
        let run = import(target, &file).await;
        let shown: String = line.chars().take(120).collect();
        ensure!(
            !run.success,
            "an import with this line must fail: {shown}\n{}",
            run.output
        );
        ensure!(
            run.output.contains("line 2"),
            "the error must name line 2: {shown}\n{}",
            run.output
        );
        let after: i64 = sqlx::query_scalar(events).fetch_one(&target.pool).await?;
        ensure!(after <= before + 1, "the log grew by this line: {shown}");
    }
    Ok(broken.len())
}
