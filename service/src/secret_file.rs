//! Secrets that an installation makes for itself on its first start.

use std::{
    fs::OpenOptions,
    io::{ErrorKind, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use anyhow::Context;

/// The text of `file`; if it is not there, it is made with mode 0600 and what `new` says. Several processes
/// may do so at once: one makes it, all read the same. Blocks. Errors: a file that cannot be read or made.
pub fn load_or_create(
    file: &Path,
    new: impl FnOnce() -> anyhow::Result<String>,
) -> anyhow::Result<String> {
    let text = match std::fs::read_to_string(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let made = create(file, &new()?)
                .with_context(|| format!("cannot make the secret file {}", file.display()))?;
            if made {
                tracing::info!(file = %file.display(), "made a new secret");
            }
            std::fs::read_to_string(file)
        }
        read => read,
    };
    let text = text.with_context(|| format!("cannot read the secret file {}", file.display()))?;
    if std::fs::metadata(file)?
        .permissions()
        .mode()
        .trailing_zeros()
        < 6
    {
        // Not refused: some places mount secrets so.
        tracing::warn!(file = %file.display(), "others may read the secret file");
    }
    Ok(text)
}

/// Writes beside `file` and links it there, so that nobody ever reads half of it. False if somebody else
/// was faster.
fn create(file: &Path, text: &str) -> std::io::Result<bool> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut temporary = file.as_os_str().to_owned();
    temporary.push(format!(".{:016x}", rand::random::<u64>()));
    let mut handle = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    handle.write_all(text.as_bytes())?;
    handle.sync_all()?;
    let linked = std::fs::hard_link(&temporary, file);
    std::fs::remove_file(&temporary)?;
    match linked {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}
