//! The binaries of the workspace, which must not be older than their sources.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

/// Path of `write-api`, `projector` or `read-api`, from the target folder of the running test.
///
/// Panics if the binary is missing, or older than a source file that it is built from.
pub fn service(name: &str) -> PathBuf {
    static CHECKED: Mutex<BTreeMap<String, Result<PathBuf, String>>> = Mutex::new(BTreeMap::new());
    let mut checked = CHECKED.lock().unwrap_or_else(PoisonError::into_inner);
    let entry = checked.entry(name.to_owned());
    let result = entry.or_insert_with(|| find(name)).clone();
    drop(checked);
    result.unwrap_or_else(|error| panic!("{error}"))
}

fn find(name: &str) -> Result<PathBuf, String> {
    let test = std::env::current_exe().expect("the path of this executable");
    let folders = test.ancestors().skip(1).take(2);
    let folder = folders
        .into_iter()
        .find(|folder| folder.join(name).is_file());
    let release = if cfg!(debug_assertions) {
        ""
    } else {
        " --release"
    };
    let rebuild = format!("run `cargo build --workspace --bins{release}`");
    let Some(folder) = folder else {
        let here = test.parent().unwrap_or(&test).display();
        return Err(format!("there is no {name} near {here}: {rebuild}"));
    };
    let binary = folder.join(name);
    match newer_source(&binary, name) {
        None => Ok(binary),
        Some(source) => Err(format!(
            "{} is older than its source {}: {rebuild}",
            binary.display(),
            source.display()
        )),
    }
}

/// A source file that is newer than the binary, if there is one.
///
/// The sources are those in the dependency file that cargo writes beside the binary, and the migrations that the
/// binary contains, of which a new one is not in that file. Not the manifests: cargo rebuilds after a change of
/// their content, not of their time.
fn newer_source(binary: &Path, name: &str) -> Option<PathBuf> {
    let modified = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    let built: SystemTime = modified(binary)?;
    let dependencies = fs::read_to_string(binary.with_extension("d")).unwrap_or_default();
    let mut sources = parse_dependencies(&dependencies);
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
    match name {
        "write-api" => collect_sql(&migrations.join("write"), &mut sources),
        "projector" => collect_sql(&migrations.join("read"), &mut sources),
        _ => {}
    }
    let is_newer = |path: &PathBuf| modified(path).is_some_and(|changed| changed > built);
    sources
        .into_iter()
        .filter(|path| path.is_file())
        .find(is_newer)
}

/// The files of a rule `target: file file …`, in which a backslash precedes a space that belongs to a name.
fn parse_dependencies(rule: &str) -> Vec<PathBuf> {
    let files = rule.lines().next().and_then(|line| line.split_once(": "));
    let files = files.map_or("", |(_, files)| files).replace("\\ ", "\0");
    let files = files.split(' ').filter(|file| !file.is_empty());
    files.map(|file| file.replace('\0', " ").into()).collect()
}

fn collect_sql(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect_sql(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "sql") {
            found.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::TempFolder;

    #[test]
    fn a_binary_older_than_a_source_is_named_with_that_source() {
        let folder = TempFolder::new();
        let [binary, old, new] =
            ["read-api", "old file.rs", "new.rs"].map(|n| folder.path().join(n));
        let write = |path: &Path, age: u64| {
            let file = fs::File::create(path).expect("a file");
            let time = SystemTime::now() - std::time::Duration::from_secs(age);
            file.set_modified(time).expect("its time");
        };
        write(&old, 20);
        write(&binary, 10);
        let rule = format!(
            "{}: {} {}\n",
            binary.display(),
            old.display().to_string().replace(' ', "\\ "),
            new.display()
        );
        fs::write(binary.with_extension("d"), &rule).expect("the dependency file");
        assert_eq!(parse_dependencies(&rule), [old, new.clone()]);
        assert_eq!(newer_source(&binary, "read-api"), None);
        write(&new, 0);
        assert_eq!(newer_source(&binary, "read-api"), Some(new));
    }
}
