//! What `deploy/` has for those who run Feedmill: manifests for Kubernetes, a file for Docker Compose, and units for systemd.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};

use feedmill_tests::kit;
use serde_json::Value;

mod compose;
mod kubernetes;
mod systemd;

const SERVICES: [&str; 3] = ["write-api", "projector", "read-api"];

/// A file or folder of `deploy/`.
fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../deploy")
        .join(name)
}

/// Runs a Python program of `deploy/tools.txt`.
fn tool(name: &str, arguments: &[&str]) -> Output {
    let tools = kit::setting("FEEDMILL_TOOLS").expect("FEEDMILL_TOOLS (deploy/test sets it)");
    let program = Path::new(&tools).join("python/bin").join(name);
    kit::run(&program, arguments, &[])
}

fn text_of(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

/// The documents of a YAML file.
fn yaml(file: &Path) -> Vec<Value> {
    const SCRIPT: &str =
        "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))";
    let output = tool("python", &["-c", SCRIPT, &file.display().to_string()]);
    assert!(output.status.success(), "{}", text_of(&output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The settings of a service, by its `--help`, with their defaults.
fn settings_of(service: &str) -> BTreeMap<String, String> {
    let output = kit::run(&kit::service(service), &["--help"], &[]);
    let help = String::from_utf8(output.stdout).expect("UTF-8");
    let settings = help.split("[env: ").skip(1).map(|rest| {
        let (name, rest) = rest.split_once(']').expect("the end of a name");
        let default = rest.trim_start().strip_prefix("[default: ");
        let default = default.and_then(|rest| rest.split_once(']'));
        let name = name.trim_end_matches('=').to_owned();
        (name, default.map_or("", |(value, _)| value).to_owned())
    });
    settings.collect()
}

/// Asserts that `names` are settings of a service; otherwise it would ignore them.
fn assert_settings<'a>(service: &str, names: impl IntoIterator<Item = &'a str>) {
    let known: BTreeSet<String> = settings_of(service).into_keys().collect();
    for name in names {
        assert!(
            known.contains(name),
            "{service} has no setting {name}: {known:?}"
        );
    }
}

/// How long a service may take to stop by itself, at most.
fn stop_time(service: &str) -> Duration {
    let settings = settings_of(service);
    let seconds = |name: &str| -> u64 {
        let text = &settings[name];
        let number = text.strip_suffix('s').unwrap_or(text);
        number.parse().unwrap_or_else(|_| panic!("{name}={text}"))
    };
    // The projector does not drain.
    let names = ["SHUTDOWN_GRACE", "SHUTDOWN_DRAIN"];
    let names = &names[..if service == "projector" { 1 } else { 2 }];
    Duration::from_secs(names.iter().map(|name| seconds(name)).sum())
}
