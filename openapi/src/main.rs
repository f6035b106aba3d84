//! Writes the descriptions to `docs/`.

use std::fs;

use anyhow::Context;

fn main() -> anyhow::Result<()> {
    for description in openapi::ALL {
        let file = description.file();
        fs::write(&file, (description.text)()?)
            .with_context(|| format!("cannot write {}", file.display()))?;
        println!("openapi: wrote docs/{}", description.name);
    }
    Ok(())
}
