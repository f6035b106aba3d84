//! `deploy/compose.yaml`.

use std::{collections::BTreeSet, fs};

use feedmill_tests::kit::{self, Postgres, TempFolder};
use serde_json::{Map, Value, json};
use sqlx::{Connection, PgConnection};

use super::{SERVICES, assert_settings, deploy, stop_time, text_of, tool, yaml};

/// The file, with its variables replaced; and the names of those that have no default.
fn compose() -> (Value, BTreeSet<String>) {
    let file = deploy("compose.yaml");
    let text = fs::read_to_string(&file).expect("the file");
    let mut parts = text.split("${");
    let mut replaced = parts.next().expect("a first part").to_owned();
    let mut required = BTreeSet::new();
    for part in parts {
        let (variable, rest) = part.split_once('}').expect("the end of a variable");
        if let Some((_, default)) = variable.split_once(":-") {
            replaced.push_str(default);
        } else {
            let name = variable
                .strip_suffix(":?")
                .expect("an error without a value");
            required.insert(name.to_owned());
            replaced.push_str("secret");
        }
        replaced.push_str(rest);
    }
    let folder = TempFolder::new();
    let file = folder.path().join("compose.yaml");
    fs::write(&file, replaced).expect("a file");
    (yaml(&file).remove(0), required)
}

fn services(compose: &Value) -> &Map<String, Value> {
    compose["services"].as_object().expect("services")
}

/// The services that run an image of ours, with the name of the image.
fn own(compose: &Value) -> Vec<(&str, &str, &Value)> {
    let own = services(compose).iter().filter_map(|(name, service)| {
        let image = service["image"].as_str()?.strip_prefix("feedmill/")?;
        Some((name.as_str(), image.split(':').next()?, service))
    });
    own.collect()
}

#[test]
fn it_follows_the_specification() {
    const SCRIPT: &str =
        "import sys, compose_spec; compose_spec.PyCompose.from_json(sys.argv[1]).validate()";
    let (compose, _) = compose();
    let output = tool("python", &["-c", SCRIPT, &compose.to_string()]);
    assert!(output.status.success(), "{}", text_of(&output));
}

#[test]
fn every_service_is_restricted_and_has_its_settings_and_time_to_stop() {
    let (compose, required) = compose();
    let names: Vec<_> = own(&compose).into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["migrate", "projector", "read-api", "write-api"]);
    for (name, image, service) in own(&compose) {
        assert!(SERVICES.contains(&image), "{image}");
        assert!(
            service["build"].is_null() && service["user"].is_null(),
            "those of the image"
        );
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"], json!(["ALL"]), "{name}");
        assert_eq!(
            service["security_opt"],
            json!(["no-new-privileges:true"]),
            "{name}"
        );
        let settings = service["environment"].as_object().expect("settings");
        assert_settings(image, settings.keys().map(String::as_str));
        let grace = service["stop_grace_period"].as_str().expect("a time");
        let grace: u64 = grace.trim_end_matches('s').parse().expect("seconds");
        assert!(grace > stop_time(image).as_secs() + 5, "{name}");
        // The operators' ports ask for no token, and clients come through a proxy of this machine.
        for port in service["ports"].as_array().into_iter().flatten() {
            let port = port.as_str().expect("a port");
            assert!(
                ["127.0.0.1:8080:8080", "127.0.0.1:8081:8081"].contains(&port),
                "{port}"
            );
        }
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let volume = volume.as_str().expect("a volume");
            assert!(volume.ends_with(":/var/lib/feedmill"), "{volume}");
        }
    }
    // The passwords are those that the guide generates, and those that NATS reads.
    let guide = fs::read_to_string(deploy("../docs/operations.md")).expect("the guide");
    let loops = guide
        .lines()
        .filter_map(|line| line.strip_prefix("for name in "));
    let mut loops = loops.filter_map(|line| line.strip_suffix("; do"));
    let words = loops.find(|line| line.contains("OWNER"));
    let words = words.expect("a loop over names").split(' ');
    let generated = words
        .map(|name| format!("FEEDMILL_{name}_PASSWORD"))
        .collect();
    assert_eq!(required, generated);
    let users = fs::read_to_string(deploy("nats-users.conf")).expect("the users");
    let nats = services(&compose)["nats"]["environment"]
        .as_object()
        .expect("settings");
    for variable in users.split("password: $").skip(1) {
        let end = variable.find('\n').expect("the end of a line");
        assert!(nats.contains_key(&variable[..end]), "{}", &variable[..end]);
    }
}

/// The script that PostgreSQL's image runs, and then the migrations.
#[tokio::test(flavor = "multi_thread")]
async fn the_migrations_find_the_roles_with_their_passwords() {
    let postgres = Postgres::start().await;
    let (compose, _) = compose();
    let settings = services(&compose)["postgres"]["environment"].as_object();
    let passwords = settings.expect("settings").iter().map(|(name, value)| {
        let value = value.as_str().expect("a text");
        (name.clone(), value.to_owned())
    });
    let server = [
        ("POSTGRES_USER", "postgres".to_owned()),
        ("POSTGRES_DB", "postgres".to_owned()),
        ("PGHOST", postgres.address.ip().to_string()),
        ("PGPORT", postgres.address.port().to_string()),
    ];
    let server = server.map(|(name, value)| (name.to_owned(), value));
    let settings: Vec<_> = passwords.chain(server).collect();
    let made = kit::run(&deploy("compose-roles.sh"), &[], &settings);
    assert!(made.status.success(), "{}", text_of(&made));

    let owner = [("DATABASE_URL".to_owned(), postgres.url())];
    let migrated = kit::run(&kit::service("write-api"), &["migrate"], &owner);
    assert!(migrated.status.success(), "{}", text_of(&migrated));
    let mut connection = PgConnection::connect(&postgres.url())
        .await
        .expect("PostgreSQL");
    let roles = "SELECT count(*) FROM pg_authid WHERE rolname LIKE 'feedmill\\_%' AND rolcanlogin AND rolpassword IS NOT NULL";
    let roles: i64 = sqlx::query_scalar(roles)
        .fetch_one(&mut connection)
        .await
        .expect("a count");
    assert_eq!(roles, 3);
}
