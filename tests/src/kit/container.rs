//! Images of `deploy/image`, and containers of them: processes in namespaces of their own, as a container engine makes them, by bubblewrap.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{Process, TempFolder, process};

/// An image, unpacked.
pub struct Image {
    /// Of its file in bytes.
    pub size: u64,
    /// Its configuration: `User`, `Env`, `Entrypoint`, `Healthcheck` and others.
    pub config: Value,
    /// The files of the layers in it, in order.
    pub layers: Vec<String>,
    folder: TempFolder,
}

impl Image {
    /// From a file of `docker save`'s format.
    pub fn unpack(file: &Path) -> Self {
        let folder = TempFolder::new();
        let at = |name: &str| folder.path().join(name);
        let parse = |name: &str| -> Value {
            let text = fs::read_to_string(at(name)).expect("a file of the image");
            serde_json::from_str(&text).expect("JSON")
        };
        untar(file, folder.path());
        fs::create_dir(at("root")).expect("a folder");
        let manifest = parse("manifest.json")[0].take();
        let strings = |list: &Value| -> Vec<String> {
            serde_json::from_value(list.clone()).expect("a list of texts")
        };
        let layers = strings(&manifest["Layers"]);
        for layer in &layers {
            untar(&at(layer), &at("root"));
        }
        let config = parse(manifest["Config"].as_str().expect("its configuration"));
        Self {
            size: fs::metadata(file).expect("the image").len(),
            config: config["config"].clone(),
            layers,
            folder,
        }
    }

    /// The folder of its files.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// The command of its health check.
    pub fn health_check(&self) -> Vec<String> {
        let test = self.config["Healthcheck"]["Test"].as_array();
        let words = test.expect("a health check").iter().skip(1);
        words
            .map(|word| word.as_str().expect("a word").to_owned())
            .collect()
    }

    /// The command that it runs with these arguments.
    pub fn command(&self, arguments: &[&str]) -> Vec<String> {
        let entrypoint = self.config["Entrypoint"].as_array().expect("a command");
        let entrypoint = entrypoint.iter().map(|it| it.as_str().expect("a word"));
        let words = entrypoint.chain(arguments.iter().copied());
        words.map(str::to_owned).collect()
    }

    /// A program with arguments that runs `command` in a container: with the user, environment and folder of the image, these settings,
    /// the root file system read-only, no capabilities, and the network of this machine. `volume` is mounted at the image's folder.
    pub fn container(
        &self,
        command: &[String],
        settings: &[(String, String)],
        volume: Option<&Path>,
    ) -> Vec<String> {
        let text = |name: &str| self.config[name].as_str().expect(name).to_owned();
        let (user, folder) = (text("User"), text("WorkingDir"));
        let (user, group) = user.split_once(':').expect("a user and a group");
        let mut words: Vec<String> = Vec::new();
        let mut add = |more: &[&str]| words.extend(more.iter().map(|&word| word.to_owned()));
        // Outside of its namespace, too, the process is no root. An ordinary user is the image's user inside.
        if is_root() {
            add(&[
                "setpriv",
                "--reuid",
                user,
                "--regid",
                group,
                "--clear-groups",
            ]);
        }
        let namespaces = ["user", "pid", "ipc", "uts"].map(|it| format!("--unshare-{it}"));
        add(&["bwrap"]);
        add(&namespaces.each_ref().map(String::as_str));
        add(&["--uid", user, "--gid", group, "--cap-drop", "ALL"]);
        add(&["--as-pid-1", "--die-with-parent"]);
        add(&["--ro-bind", &self.root().display().to_string(), "/"]);
        add(&["--proc", "/proc", "--dev", "/dev"]);
        if let Some(volume) = volume {
            add(&["--bind", &volume.display().to_string(), &folder]);
        }
        add(&["--chdir", &folder, "--clearenv"]);
        for line in self.config["Env"].as_array().expect("its environment") {
            let (name, value) = line
                .as_str()
                .and_then(|it| it.split_once('='))
                .expect("Env");
            add(&["--setenv", name, value]);
        }
        for (name, value) in settings {
            add(&["--setenv", name, value]);
        }
        add(&["--"]);
        words.extend(command.iter().cloned());
        words
    }

    /// Runs its command with these arguments until it exits. The output is that of the command.
    pub fn run(&self, arguments: &[&str], settings: &[(String, String)]) -> std::process::Output {
        run(&self.container(&self.command(arguments), settings, None))
    }

    /// Whether its health check succeeds in a container with these settings.
    pub fn is_healthy(&self, settings: &[(String, String)]) -> bool {
        let words = self.container(&self.health_check(), settings, None);
        run(&words).status.success()
    }

    /// A container with its command, not running yet.
    pub fn process(
        &self,
        name: &str,
        folder: &Path,
        settings: &[(String, String)],
        volume: Option<&Path>,
    ) -> Process {
        let words = self.container(&self.command(&[]), settings, volume);
        let (program, arguments) = words.split_first().expect("a program");
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        Process::new(name, Path::new(program), folder).arguments(&arguments)
    }
}

/// Whether this process runs as root.
pub fn is_root() -> bool {
    fs::metadata("/proc/self").expect("/proc").uid() == 0
}

/// The first process inside of a container, as this machine sees it: the last one of a chain of children.
pub fn first_process(container: &Process) -> u32 {
    let mut pid = container.pid().expect("a running container");
    while let Some(child) = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
        .ok()
        .and_then(|children| children.split_whitespace().next()?.parse().ok())
    {
        pid = child;
    }
    pid
}

fn run(words: &[String]) -> std::process::Output {
    let (program, arguments) = words.split_first().expect("a program");
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    process::run(Path::new(program), &arguments, &[])
}

fn untar(file: &Path, into: &Path) {
    let [file, into] = [file, into].map(|path| path.display().to_string());
    let output = process::run(Path::new("tar"), &["-x", "-f", &file, "-C", &into], &[]);
    assert!(output.status.success(), "{output:?}");
}
