//! `deploy/systemd/`: the units, with systemd's own checks.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use feedmill_events::Projection;
use feedmill_tests::kit::{self, TempFolder};

use super::{SERVICES, assert_settings, deploy, stop_time, text_of};

/// As `systemd-analyze security` counts, from 0 to 100; above 20 it is more than "OK".
const MAX_EXPOSURE: &str = "20";

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.flatten().map(|it| it.path()).collect();
    files.sort();
    files
}

fn file_name(file: &Path) -> String {
    file.file_name().expect("a name").display().to_string()
}

/// The names and texts of the units.
fn units() -> Vec<(String, String)> {
    let is_unit = |it: &PathBuf| it.extension().is_some_and(|it| it == "service");
    let files = files(&deploy("systemd")).into_iter().filter(is_unit);
    let read = |it: PathBuf| (file_name(&it), fs::read_to_string(&it).expect("a unit"));
    files.map(read).collect()
}

/// The values of a key of a unit, or of a file of settings.
fn values<'a>(text: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines()
        .filter_map(move |line| line.strip_prefix(key)?.strip_prefix('='))
}

/// The names of the settings in a file.
fn names(text: &str) -> Vec<&str> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| Some(line.split_once('=')?.0))
        .collect()
}

/// A root folder with the units, stand-ins of their programs, and the targets and slices of systemd.
fn root() -> TempFolder {
    let root = TempFolder::new();
    let at = |path: &str| {
        let folder = root.path().join(path);
        fs::create_dir_all(&folder).expect("a folder");
        folder
    };
    let systemd = files(Path::new("/lib/systemd/system")).into_iter();
    let systemd = systemd.filter(|it| {
        it.extension()
            .is_some_and(|it| it == "target" || it == "slice")
    });
    for file in systemd {
        // Some are links to others.
        fs::copy(&file, at("lib/systemd/system").join(file_name(&file))).ok();
    }
    for (name, text) in units() {
        fs::write(at("etc/systemd/system").join(name), text).expect("a unit");
    }
    for file in files(&deploy("systemd/feedmill-.service.d")) {
        let folder = at("etc/systemd/system/feedmill-.service.d");
        fs::copy(&file, folder.join(file_name(&file))).expect("a drop-in");
    }
    for service in SERVICES {
        let program = at("usr/local/bin").join(service);
        fs::write(&program, "#!/bin/true\n").expect("a program");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("its mode");
    }
    root
}

#[test]
fn systemd_accepts_the_units_and_finds_them_hardened() {
    let folder = root();
    let root = format!("--root={}", folder.path().display());
    for (name, _) in units() {
        let name = name.replace('@', "@feed");
        let verify = ["verify", &root, "--man=no", &name];
        let threshold = format!("--threshold={MAX_EXPOSURE}");
        let security = [
            "security",
            "--offline=true",
            &root,
            &threshold,
            "--no-pager",
            &name,
        ];
        let verified = kit::run(Path::new("systemd-analyze"), &verify, &[]);
        let text = text_of(&verified);
        // It only warns of an unknown key.
        assert!(
            verified.status.success() && text.is_empty(),
            "{name}: {text}"
        );
        let output = kit::run(Path::new("systemd-analyze"), &security, &[]);
        let text = text_of(&output);
        assert!(output.status.success(), "{text}");
        println!("{}", text.lines().last().unwrap_or_default());
    }
}

#[test]
fn every_unit_has_its_settings_and_time_to_stop() {
    let mut used = BTreeSet::new();
    for (name, text) in units() {
        let command = values(&text, "ExecStart").next().expect("a command");
        let program = command.split(' ').next().expect("a program");
        let service = file_name(Path::new(program));
        for file in values(&text, "EnvironmentFile") {
            let file = file_name(Path::new(file)).replace("%i", "feed");
            let settings = fs::read_to_string(deploy("systemd/env").join(&file)).expect(&file);
            assert_settings(&service, names(&settings));
            used.insert(file);
        }
        let own = values(&text, "Environment").filter_map(|it| Some(it.split_once('=')?.0));
        assert_settings(&service, own);
        // Migrations take as long as they take.
        if !text.contains("Type=oneshot") {
            let timeout = values(&text, "TimeoutStopSec").next().expect("a time");
            let timeout: u64 = timeout.trim_end_matches('s').parse().expect("seconds");
            assert!(timeout > stop_time(&service).as_secs() + 5, "{name}");
        }
    }
    let all = files(&deploy("systemd/env"));
    assert_eq!(used, all.iter().map(|it| file_name(it)).collect());
    // The comment of the template names all its instances.
    let template = units().into_iter().find(|(name, _)| name.contains('@'));
    let (_, template) = template.expect("a template");
    for projection in Projection::ALL {
        assert!(
            template.contains(&format!("@{}", projection.name())),
            "{projection:?}"
        );
    }
}
