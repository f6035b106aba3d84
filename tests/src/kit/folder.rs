//! A temporary folder.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Removed on drop, unless the test failed or `keep` was called.
pub struct TempFolder {
    path: PathBuf,
    keep: bool,
}

impl TempFolder {
    #[expect(clippy::new_without_default, reason = "it creates a folder")]
    pub fn new() -> Self {
        let name = format!("feedmill-test-{:016x}", rand::random::<u64>());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a temporary folder");
        Self { path, keep: false }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves the folder there when the test ends.
    pub fn keep(&mut self) {
        self.keep = true;
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        if self.keep || std::thread::panicking() {
            eprintln!("the test's files are in {}", self.path.display());
        } else {
            fs::remove_dir_all(&self.path).ok();
        }
    }
}
