//! Generates `migrations.rs`, which embeds the files of `migrations/read/`: a constant per schema, named after its
//! folder, so that a new file is applied without being listed anywhere.

use std::{env, fmt::Write as _, fs, io, path::Path};

fn main() -> io::Result<()> {
    const FOLDER: &str = "../migrations/read";
    println!("cargo::rerun-if-changed={FOLDER}");
    let mut code = String::new();
    let mut schemas = vec![];
    for schema in sorted_names(Path::new(FOLDER))? {
        let constant = schema.to_uppercase();
        let mut migrations = String::new();
        for file in sorted_names(&Path::new(FOLDER).join(&schema))? {
            let name = file
                .strip_suffix(".sql")
                .ok_or_else(|| io::Error::other(format!("{schema}/{file} is not an SQL file")))?;
            let path = format!("/{FOLDER}/{schema}/{file}");
            let _ = writeln!(
                migrations,
                "    Migration {{ name: {name:?}, sql: include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {path:?})) }},"
            );
        }
        let _ = writeln!(
            code,
            "pub const {constant}: &[Migration] = &[\n{migrations}];"
        );
        schemas.push(format!("({schema:?}, {constant})"));
    }
    let _ = writeln!(
        code,
        "/// The migrations of every schema, by its name.\npub const ALL: &[(&str, &[Migration])] = &[{}];",
        schemas.join(", ")
    );
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("OUT_DIR is not set"))?;
    fs::write(Path::new(&out).join("migrations.rs"), code)
}

/// The names of what a folder contains, in the order in which migrations are applied.
fn sorted_names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = vec![];
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
