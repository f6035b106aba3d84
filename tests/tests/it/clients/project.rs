//! A copy of a client's folder, in which it is generated and tested.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use feedmill_tests::kit::{TempFolder, setting};
use tokio::process::Command;

/// The folder of the tools that `deploy/test` installs: `typescript/node_modules` and the virtual environment `python`.
pub fn tools() -> PathBuf {
    let folder = setting("FEEDMILL_TOOLS");
    PathBuf::from(folder.expect(
        "FEEDMILL_TOOLS must be the folder of the clients' tools, for example .feedmill/tools (deploy/test \
         installs them and sets it)",
    ))
}

pub struct Project {
    folder: TempFolder,
}

impl Project {
    /// Of the client in `clients/NAME`, without what a build of it has left there.
    pub fn copy(name: &str) -> Self {
        let folder = TempFolder::new();
        copy_folder(&repository().join("clients").join(name), folder.path());
        Self { folder }
    }

    /// The path of `docs/openapi.json`.
    pub fn document() -> String {
        let path = repository().join("docs/openapi.json");
        path.display().to_string()
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, file: &str, text: &str) {
        fs::write(self.path().join(file), text).expect("a file of the project");
    }

    /// A symbolic link to something outside.
    pub fn link(&self, name: &str, to: &Path) {
        assert!(to.exists(), "{} is missing", to.display());
        std::os::unix::fs::symlink(to, self.path().join(name)).expect("a symbolic link");
    }

    /// The code of this language in its README.md, in order.
    pub fn code_blocks(&self, language: &str) -> String {
        let readme = fs::read_to_string(self.path().join("README.md")).expect("README.md");
        let mut code = String::new();
        let mut is_inside = false;
        for line in readme.lines() {
            if let Some(fence) = line.strip_prefix("```") {
                is_inside = fence == language;
            } else if is_inside {
                writeln!(code, "{line}").expect("a String takes all text");
            }
        }
        assert!(
            !code.is_empty(),
            "README.md has no code blocks of {language}"
        );
        code
    }

    /// A command that runs in its folder.
    pub fn command(&self, program: impl AsRef<Path>, arguments: &[&str]) -> Command {
        let mut command = Command::new(program.as_ref());
        command.args(arguments).current_dir(self.path());
        command
    }
}

fn repository() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    folder.canonicalize().expect("the root of the repository")
}

fn copy_folder(from: &Path, to: &Path) {
    const GENERATED: [&str; 6] = [
        "node_modules",
        "dist",
        "dist-test",
        "schema.ts",
        "__pycache__",
        ".mypy_cache",
    ];
    fs::create_dir_all(to).expect("a folder of the project");
    for entry in fs::read_dir(from).expect("the folder of a client") {
        let entry = entry.expect("an entry of the folder");
        let (path, name) = (entry.path(), entry.file_name());
        if GENERATED.iter().any(|generated| name == *generated) {
            continue;
        }
        if path.is_dir() {
            copy_folder(&path, &to.join(name));
        } else {
            fs::copy(&path, to.join(name)).expect("a copy of a file");
        }
    }
}
