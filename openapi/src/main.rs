//! Writes `docs/openapi.json`.

use std::fs;

use anyhow::Context;
use openapi::{file, text};

fn main() -> anyhow::Result<()> {
    let file = file();
    fs::write(&file, text()?).with_context(|| format!("cannot write {}", file.display()))?;
    println!("openapi: wrote docs/openapi.json");
    Ok(())
}
