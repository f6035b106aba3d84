//! The statements of the services by name, from sqlx's query files: exactly the texts that the services run.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use serde::Deserialize;

/// The folder of sqlx's query files, relative to the root of the repository.
const FOLDER: &str = ".sqlx";

#[derive(Deserialize)]
struct QueryFile {
    query: String,
}

/// The text of the statement that begins with `/* name */`. Errors: there is none or more than one.
pub fn text(name: &str) -> Result<String> {
    let mut found = Vec::new();
    let folder = Path::new(FOLDER);
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let file: QueryFile = serde_json::from_slice(&fs::read(&path)?)
            .with_context(|| path.display().to_string())?;
        if file
            .query
            .trim_start()
            .starts_with(&format!("/* {name} */"))
        {
            found.push(file.query);
        }
    }
    anyhow::ensure!(
        found.len() == 1,
        "{} statements have the name {name}",
        found.len()
    );
    found.pop().context("a statement")
}
