//! The named tokens of operators, from a setting and a file.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use anyhow::{Context as _, bail, ensure};
use feedmill_service::secret_file;
use sha2::{Digest as _, Sha256};

const MIN_LENGTH: usize = 32;

/// The SHA-256 of a token. Tokens are compared by their digests, so the time of a comparison tells nothing about a token.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest")
    }
}

/// The name of each token's holder.
type Names = BTreeMap<TokenDigest, String>;

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tokens {
    of_setting: Arc<Names>,
    of_file: Option<Arc<Mutex<TokenFile>>>,
}

#[derive(Debug)]
struct TokenFile {
    path: PathBuf,
    read: Option<SystemTime>,
    names: Names,
}

impl Tokens {
    /// Errors: a setting or a file with anything but valid pairs; the message has no token.
    pub fn new(setting: Option<&str>, file: Option<&PathBuf>) -> anyhow::Result<Self> {
        let setting = setting.unwrap_or_default();
        let of_setting = parse(setting.split(',')).context("CONSOLE_TOKEN")?;
        let of_file = file.map(|path| {
            let mut file = TokenFile {
                path: path.clone(),
                read: None,
                names: Names::new(),
            };
            file.refresh()?;
            anyhow::Ok(Arc::new(Mutex::new(file)))
        });
        Ok(Self {
            of_setting: Arc::new(of_setting),
            of_file: of_file.transpose()?,
        })
    }

    pub fn is_empty(&self) -> bool {
        self.of_setting.is_empty() && self.of_file.is_none()
    }

    /// Whose token it is.
    pub fn name(&self, digest: TokenDigest) -> Option<String> {
        self.of_setting.get(&digest).cloned().or_else(|| {
            let file = self.of_file.as_ref()?;
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = file.refresh() {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "console: the tokens stay as they were"
                );
            }
            file.names.get(&digest).cloned()
        })
    }
}

impl TokenFile {
    /// Reads the file if it has changed.
    fn refresh(&mut self) -> anyhow::Result<()> {
        let path = self.path.display().to_string();
        let modified = fs::metadata(&self.path).and_then(|file| file.modified());
        let modified =
            modified.with_context(|| format!("cannot read CONSOLE_TOKEN_FILE {path}"))?;
        if self.read == Some(modified) {
            return Ok(());
        }
        self.read = Some(modified);
        let text = secret_file::load(&self.path)?;
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        self.names = parse(lines).with_context(|| format!("CONSOLE_TOKEN_FILE {path}"))?;
        Ok(())
    }
}

fn parse<'a>(pairs: impl Iterator<Item = &'a str>) -> anyhow::Result<Names> {
    let mut names = Names::new();
    for pair in pairs.map(str::trim).filter(|pair| !pair.is_empty()) {
        let Some((name, token)) = pair.split_once(':') else {
            bail!("must have pairs name:token");
        };
        let fits =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte);
        ensure!(
            !name.is_empty() && name.len() <= 64 && name.bytes().all(fits),
            "a name has 1 to 64 of the characters a-z 0-9 _ . -"
        );
        ensure!(
            token.len() >= MIN_LENGTH && token.bytes().all(|byte| byte.is_ascii_graphic()),
            "the token of {name} must have at least {MIN_LENGTH} visible ASCII characters"
        );
        let other = names.insert(TokenDigest::of(token), name.to_owned());
        ensure!(other.is_none(), "{name} has the token of somebody else");
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: &str = "ann-has-a-token-of-32-characters";
    const BOB: &str = "bob-has-a-token-of-32-characters";

    #[test]
    fn a_token_names_its_holder() {
        let tokens = Tokens::new(Some(&format!("ann:{ANN}, on-call.2:{BOB}")), None).unwrap();
        let name = |token| tokens.name(TokenDigest::of(token));
        assert_eq!(name(ANN).as_deref(), Some("ann"));
        assert_eq!(name(BOB).as_deref(), Some("on-call.2"));
        assert_eq!(name("ann"), None);
        assert!(!tokens.is_empty() && Tokens::new(None, None).unwrap().is_empty());
    }

    #[test]
    fn what_is_not_a_valid_pair_is_refused_without_being_shown() {
        let short = &ANN[1..];
        for invalid in [
            ANN.to_owned(),
            format!(":{ANN}"),
            format!("Ann:{ANN}"),
            format!("ann:{short}"),
            format!("ann:{ANN} "),
            format!("ann:{}", ANN.replace('-', " ")),
            format!("ann:{ANN},bob:{ANN}"),
        ] {
            let made = Tokens::new(Some(&invalid), None);
            if invalid.ends_with(' ') {
                made.unwrap();
                continue;
            }
            let error = format!("{:#}", made.unwrap_err());
            assert!(
                error.starts_with("CONSOLE_TOKEN: ") && !error.contains(short),
                "{error}"
            );
        }
    }

    #[test]
    fn a_changed_file_is_read_again() {
        let file =
            std::env::temp_dir().join(format!("feedmill-console-{:016x}", rand::random::<u64>()));
        let write = |text: String, seconds| {
            fs::write(&file, text).unwrap();
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            fs::File::options()
                .write(true)
                .open(&file)
                .unwrap()
                .set_modified(time)
                .unwrap();
        };
        write(format!("# operators\nann:{ANN}\n"), 1);
        let tokens = Tokens::new(None, Some(&file)).unwrap();
        assert_eq!(tokens.name(TokenDigest::of(ANN)).as_deref(), Some("ann"));
        write(format!("bob:{BOB}\n"), 2);
        assert_eq!(tokens.name(TokenDigest::of(ANN)), None);
        assert_eq!(tokens.name(TokenDigest::of(BOB)).as_deref(), Some("bob"));
        // What is invalid changes nothing.
        write("ann".to_owned(), 3);
        assert_eq!(tokens.name(TokenDigest::of(BOB)).as_deref(), Some("bob"));
        fs::remove_file(&file).unwrap();
        assert!(Tokens::new(None, Some(&file)).is_err());
    }
}
