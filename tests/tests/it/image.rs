//! The container images of `deploy/image`: built from the binaries of this run, and a whole Feedmill of them.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt, path::Path, time::Instant};

use feedmill_tests::{
    client::Client,
    kit::{
        self, Database, Image, Nats, Process, Role, TempFolder, first_process, is_root,
        position_key_of, unused_port,
    },
};
use serde_json::{Value, json};

const SERVICES: [&str; 3] = ["write-api", "projector", "read-api"];

/// Builds images of the binaries of this run. Without their debug information, which is most of them.
fn build<const N: usize>(services: [&str; N], into: &Path) -> [Image; N] {
    let at = |name: &str| into.join(name).display().to_string();
    fs::create_dir(at("bin")).expect("a folder");
    for service in services {
        let binary = kit::service(service).display().to_string();
        let stripped = at(&format!("bin/{service}"));
        let arguments = ["--strip-debug", "-o", &stripped, &binary];
        let output = kit::run(Path::new("strip"), &arguments, &[]);
        assert!(output.status.success(), "{output:?}");
    }
    let (binaries, out) = (at("bin"), into.display().to_string());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/image");
    let arguments = ["--tag", "test", "--binaries", &binaries, "--out", &out];
    let arguments = [&arguments[..], &services].concat();
    let output = kit::run(&script, &arguments, &[]);
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{text}");
    services.map(|service| Image::unpack(&into.join(format!("{service}.tar"))))
}

/// What the kernel says about a process: the line of `/proc/PID/status` with this name.
fn status_of(pid: u32, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.expect(name).trim_start_matches(':').trim().to_owned()
}

/// Without root, capabilities and new privileges, and with a root file system that nobody can write to.
fn assert_unprivileged(container: &Process) {
    let pid = first_process(container);
    assert_ne!(status_of(pid, "Uid").split_whitespace().next(), Some("0"));
    assert_eq!(status_of(pid, "CapEff"), "0000000000000000");
    assert_eq!(status_of(pid, "CapBnd"), "0000000000000000");
    assert_eq!(status_of(pid, "NoNewPrivs"), "1");
    let mounts = fs::read_to_string(format!("/proc/{pid}/mounts")).expect("its mounts");
    let mut options = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        (words.next() == Some("/")).then(|| words.nth(1).unwrap_or_default().to_owned())
    });
    let root = options.next_back().expect("a root file system");
    assert!(root.split(',').any(|option| option == "ro"), "{root}");
}

/// Runs nothing but its service, and says what it is.
fn assert_contents(image: &Image, service: &str) {
    let root = image.root();
    let programs: Vec<_> = ["bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin"]
        .iter()
        .filter_map(|folder| fs::read_dir(root.join(folder)).ok())
        .flatten()
        .map(|file| file.expect("a file").file_name())
        .collect();
    assert_eq!(programs, [service]);
    let certificates = fs::read_to_string(root.join("etc/ssl/certs/ca-certificates.crt"));
    let certificates = certificates.expect("the certificates");
    assert!(certificates.matches("BEGIN CERTIFICATE").count() > 50);
    let licences = fs::read_dir(root.join("usr/share/doc")).expect("the licences");
    let licences: BTreeSet<_> = licences
        .flatten()
        .filter(|it| it.path().join("copyright").is_file())
        .map(|it| it.file_name().display().to_string())
        .collect();
    for name in ["ca-certificates", "feedmill", "libc6"] {
        assert!(licences.contains(name), "{licences:?}");
    }
    assert!(licences.iter().any(|it| it.starts_with("gcc-")), "libgcc");
    assert_eq!(image.config["User"], "65532:65532");
    assert_eq!(
        image.config["Entrypoint"],
        json!([format!("/usr/bin/{service}")])
    );
    let labels = &image.config["Labels"];
    let label = |name: &str| labels[format!("org.opencontainers.image.{name}")].clone();
    assert_eq!(label("title"), format!("feedmill/{service}"));
    assert_eq!(label("licenses"), "Apache-2.0");
    assert_eq!(label("version"), "test");
    assert_eq!(
        label("revision").as_str().map(str::len),
        Some(40),
        "{labels}"
    );
    let ports: Vec<Value> = image.config["ExposedPorts"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(port, _)| json!(port))
        .collect();
    assert_eq!(ports.len(), 2, "for clients and for operators");
}

/// The settings that a service gets beside those of its image, and the URL of its readiness.
struct Instance {
    settings: Vec<(String, String)>,
    url: String,
    operators_url: String,
}

fn instance(role: Role, database: &Database, nats: &Nats, more: &[(&str, &str)]) -> Instance {
    let (listen, url) = match role {
        Role::WriteApi => ("WRITE_LISTEN", "WRITE_DATABASE_URL"),
        Role::Projector => ("PROJECTOR_LISTEN", "PROJECTOR_DATABASE_URL"),
        Role::ReadApi => ("READ_LISTEN", "READ_DATABASE_URL"),
    };
    let [address, operators] = [(); 2].map(|()| format!("127.0.0.1:{}", unused_port()));
    let own = [
        (listen, address.clone()),
        ("ADMIN_LISTEN", operators.clone()),
        (url, database.url_as(role)),
        ("NATS_URL", nats.url_as(role)),
        ("SHUTDOWN_DRAIN", "0".to_owned()),
    ];
    let more = more
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    let settings = own.into_iter().chain(more);
    Instance {
        settings: settings
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        url: format!("http://{address}"),
        operators_url: format!("http://{operators}"),
    }
}

/// A folder for the keys, which belongs to the user of the image.
fn volume(folder: &Path) -> std::path::PathBuf {
    let volume = folder.join("keys");
    fs::create_dir(&volume).expect("a folder");
    fs::set_permissions(&volume, fs::Permissions::from_mode(0o700)).expect("its mode");
    if is_root() {
        std::os::unix::fs::chown(&volume, Some(65532), Some(65532)).expect("its owner");
    }
    volume
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feedmill_runs_from_its_images() {
    let folder = TempFolder::new();
    let images = build(SERVICES, folder.path());
    for (image, service) in images.iter().zip(SERVICES) {
        assert_contents(image, service);
    }
    let [write_image, projector_image, read_image] = &images;
    // The layers below the binaries are the same.
    assert_eq!(write_image.layers[..1], read_image.layers[..1]);

    let mut nats = Nats::with_users(folder.path(), "");
    nats.launch().await;
    let database = Database::empty().await;
    let owner = [("DATABASE_URL".to_owned(), database.url())];
    let migrate = async {
        let output = write_image.run(&["migrate"], &owner);
        assert!(output.status.success(), "{output:?}");
    };
    database.migrate_with(migrate).await;

    let write = instance(Role::WriteApi, &database, &nats, &[]);
    let projector = instance(Role::Projector, &database, &nats, &[]);
    let write_urls = [
        ("WRITE_API_URL", write.url.as_str()),
        ("WRITE_ADMIN_URL", &write.operators_url),
        ("CURSOR_KEY", &"5e".repeat(32)),
    ];
    let read = instance(Role::ReadApi, &database, &nats, &write_urls);
    let keys = volume(folder.path());
    let mut containers = Vec::new();
    for (service, image, instance) in [
        ("write-api", write_image, &write),
        ("projector", projector_image, &projector),
        ("read-api", read_image, &read),
    ] {
        assert!(!image.is_healthy(&instance.settings), "it does not run yet");
        let volume = (service == "write-api").then_some(keys.as_path());
        let start = Instant::now();
        let mut container = image
            .process(service, folder.path(), &instance.settings, volume)
            .health(format!("{}/health/ready", instance.operators_url));
        container.launch();
        container.ready().await;
        println!(
            "{service}: {:.1} MB, ready after {:.2} s",
            image.size as f64 / 1e6,
            start.elapsed().as_secs_f64()
        );
        assert!(
            image.is_healthy(&instance.settings),
            "its health check fails"
        );
        assert_unprivileged(&container);
        containers.push((container, image, instance));
    }
    let mode = fs::metadata(keys.join("auth.pem")).expect("the key that write-api made");
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);

    let client =
        Client::new(&write.url, &read.url).with_position_key(position_key_of(&database.pool).await);
    client.create_account("alice", "Alice").await.expect(201);
    let session = client.sign_in("alice").await.expect(201).json();
    let alice = client.with_token(session["access_token"].as_str().expect("a token"));
    alice.post("from a container", None).await.expect(201);
    let me = alice.get("/v1/me").await.expect(200).json();
    assert_eq!(me["handle"], "alice");

    for (container, image, instance) in &mut containers {
        assert!(kit::signal("TERM", &[first_process(container)]));
        kit::wait_until("it stops", async || container.ended().is_some()).await;
        assert!(container.ended().is_some_and(|status| status.success()));
        assert!(!image.is_healthy(&instance.settings), "it has stopped");
    }
}

#[test]
fn nothing_in_a_container_can_be_written_and_there_is_no_shell() {
    let folder = TempFolder::new();
    let [image] = build(["read-api"], folder.path());
    let settings = [
        ("READ_DATABASE_URL", "postgres://nobody@127.0.0.1:1/none"),
        ("READ_LISTEN", "127.0.0.1:0"),
        ("ADMIN_LISTEN", "127.0.0.1:0"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    for file in ["/cursor.key", "/tmp/cursor.key", "/usr/bin/cursor.key"] {
        let output = image.run(&["--cursor-key-file", file], &settings);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success());
        assert!(error.contains("Read-only file system"), "{file}: {error}");
    }
    for shell in ["/bin/sh", "/usr/bin/sh", "/bin/bash", "/bin/busybox"] {
        let words = image.container(&[shell.to_owned()], &[], None);
        let arguments: Vec<_> = words[1..].iter().map(String::as_str).collect();
        let output = kit::run(Path::new(&words[0]), &arguments, &[]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains("No such file or directory"), "{error}");
    }
}
