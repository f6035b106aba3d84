//! Secret files that an installation creates on its first start.

use std::{
    fs::OpenOptions,
    io::{ErrorKind, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use anyhow::Context;

/// The text of `file`. If there is no such file, it is created with mode 0600 and the text that `new` returns. Several
/// processes may do so at the same time: one creates it, all read the same text. Blocks. Errors: the file cannot be
/// read or created.
pub fn load_or_create(
    file: &Path,
    new: impl FnOnce() -> anyhow::Result<String>,
) -> anyhow::Result<String> {
    let text = match std::fs::read_to_string(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let created = create(file, &new()?)
                .with_context(|| format!("cannot create the secret file {}", file.display()))?;
            if created {
                tracing::info!(file = %file.display(), "created a new secret file");
            }
            std::fs::read_to_string(file)
        }
        read => read,
    };
    checked(file, text)
}

/// The text of `file`, which must exist. Blocks. Errors: the file cannot be read.
pub fn load(file: &Path) -> anyhow::Result<String> {
    checked(file, std::fs::read_to_string(file))
}

fn checked(file: &Path, text: std::io::Result<String>) -> anyhow::Result<String> {
    let text = text.with_context(|| format!("cannot read the secret file {}", file.display()))?;
    if std::fs::metadata(file)?
        .permissions()
        .mode()
        .trailing_zeros()
        < 6
    {
        // Only a warning: some container platforms mount secrets like this.
        tracing::warn!(file = %file.display(), "the secret file is readable by other users, change its mode to 0600");
    }
    Ok(text)
}

/// Writes a temporary file and links it to `file`, so that nobody reads an incomplete one. False if `file` exists by
/// then.
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
