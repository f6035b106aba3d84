//! Statements of our services by their names, from what sqlx keeps of them: the very texts that are run.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use serde::Deserialize;

/// Where sqlx keeps them, from the root of the repository.
const FOLDER: &str = ".sqlx";

#[derive(Deserialize)]
struct Kept {
    query: String,
}

/// The text of the statement that begins with `/* name */`. Errors: there is none, or more than one.
pub fn text(name: &str) -> Result<String> {
    let mut found = Vec::new();
    let folder = Path::new(FOLDER);
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let kept: Kept = serde_json::from_slice(&fs::read(&path)?)
            .with_context(|| path.display().to_string())?;
        if kept
            .query
            .trim_start()
            .starts_with(&format!("/* {name} */"))
        {
            found.push(kept.query);
        }
    }
    anyhow::ensure!(
        found.len() == 1,
        "{} statements are called {name}",
        found.len()
    );
    found.pop().context("a statement")
}
