//! Password hashes: argon2id with the parameters of OWASP's first recommendation (19 MiB, two passes), as PHC strings.
//! Imported accounts bring hashes of other kinds and parameters ([`stored_hash`]), which are replaced at the next sign-in.
//!
//! A hash takes about 25 ms of a core and 19 MiB, so the number of concurrent hashes is limited; an imported one with more
//! memory counts for several. [`turns`] says who is next. Their memory is pooled: the allocator would keep 19 MiB for every
//! thread.

mod stored_hash;
mod turns;

use std::sync::{Arc, Mutex, PoisonError};

use argon2::{
    ARGON2ID_IDENT, Block, Params, Version,
    password_hash::{Output, ParamsString, PasswordHash, SaltString},
};

use self::turns::Turns;
pub use self::{
    stored_hash::{HashError, StoredHash},
    turns::Queue,
};
use crate::{
    client::Client,
    domain::{GivenPassword, Password},
};

/// In KiB. A hash counts once for each such share of memory that it begins.
const MEMORY_SHARE: u32 = 64 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum Busy {
    /// Too many hashes are waiting.
    #[error("too many passwords are being checked")]
    Queue,
    /// The hash function fails, or a thread cannot be started.
    #[error("a password cannot be checked: {0}")]
    Broken(String),
}

/// A password that was right.
#[derive(Debug, PartialEq, Eq)]
pub struct RightPassword {
    /// A hash to store in place of the one that was verified. None if that one is as a new one would be.
    pub new_hash: Option<String>,
}

pub struct Hasher {
    turns: Turns,
    max_running: u32,
    memory: Arc<Mutex<Vec<Vec<Block>>>>,
    /// The hash of a random password. It is verified if there is no account, so that the time is the same.
    dummy: StoredHash,
}

impl Hasher {
    /// `max_running` is the maximum number of concurrent hashes.
    pub fn new(max_running: usize) -> Result<Self, Busy> {
        let max_running = u32::try_from(max_running.max(1)).unwrap_or(u32::MAX);
        let mut memory = Vec::new();
        let dummy = hash(&rand::random::<[u8; 16]>(), &mut memory)?;
        Ok(Self {
            turns: Turns::new(max_running),
            max_running,
            memory: Arc::new(Mutex::new(vec![memory])),
            dummy: StoredHash::parse(&dummy).map_err(broken)?,
        })
    }

    /// Hashes a new password, when it is the client's turn.
    pub async fn hash(
        &self,
        password: Password,
        queue: Queue,
        client: Client,
    ) -> Result<String, Busy> {
        self.off_thread((queue, client), 1, move |memory| {
            hash(password.as_bytes(), memory)
        })
        .await
    }

    /// None if the password does not have this hash. Without a hash it is None, after the time of a hash with the current
    /// parameters.
    pub async fn verify(
        &self,
        password: GivenPassword,
        hash: Option<StoredHash>,
        client: Client,
    ) -> Result<Option<RightPassword>, Busy> {
        let exists = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.dummy.clone());
        let shares = hash.memory().div_ceil(MEMORY_SHARE);
        let right = self
            .off_thread((Queue::SignIn, client), shares, move |memory| {
                verify(&password, &hash, memory)
            })
            .await?;
        Ok(right.filter(|_| exists))
    }

    /// Runs `work` on another thread when it is the client's turn. `shares` is how many hashes it counts for.
    async fn off_thread<T: Send + 'static>(
        &self,
        (queue, client): (Queue, Client),
        shares: u32,
        work: impl FnOnce(&mut Vec<Block>) -> Result<T, Busy> + Send + 'static,
    ) -> Result<T, Busy> {
        let shares = shares.clamp(1, self.max_running);
        let permit = self.turns.wait(queue, client, shares).await?;
        let memory = self.memory.clone();
        // The permit moves into the task: a client that disconnects does not make room for another hash before this
        // one has finished.
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let spare = memory.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut blocks = spare.unwrap_or_default();
            let done = work(&mut blocks);
            // The memory of a larger hash is not kept.
            blocks.truncate(Params::default().block_count());
            blocks.shrink_to_fit();
            memory
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(blocks);
            done
        })
        .await
        .map_err(|error| Busy::Broken(error.to_string()))?
    }
}

fn broken(error: impl std::fmt::Display) -> Busy {
    Busy::Broken(error.to_string())
}

fn hash(password: &[u8], memory: &mut Vec<Block>) -> Result<String, Busy> {
    let (params, version) = (Params::default(), Version::V0x13);
    let salt: [u8; 16] = rand::random();
    let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
    stored_hash::argon2id(password, &salt, version, &params, &mut output, memory)
        .map_err(broken)?;
    let salt = SaltString::encode_b64(&salt).map_err(broken)?;
    let phc = PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(version.into()),
        params: ParamsString::try_from(&params).map_err(broken)?,
        salt: Some(salt.as_salt()),
        hash: Some(Output::new(&output).map_err(broken)?),
    };
    Ok(phc.to_string())
}

fn verify(
    password: &GivenPassword,
    stored: &StoredHash,
    memory: &mut Vec<Block>,
) -> Result<Option<RightPassword>, Busy> {
    let mut matches = |password: &[u8]| stored.matches(password, memory).map_err(broken);
    let is_right = matches(password.as_bytes())?;
    // Another system may have hashed the password as it was typed.
    let is_right_as_typed = match password.as_typed() {
        Some(typed) if !is_right => matches(typed)?,
        _ => false,
    };
    if !is_right && !is_right_as_typed {
        return Ok(None);
    }
    let new_hash = if is_right && stored.is_current() {
        None
    } else {
        Some(hash(password.as_bytes(), memory)?)
    };
    Ok(Some(RightPassword { new_hash }))
}

#[cfg(test)]
mod tests {
    use argon2::{Argon2, PasswordVerifier};

    use uuid::Uuid;

    use super::*;

    const ME: Client = Client::Known(Uuid::nil());

    fn given(text: &str) -> GivenPassword {
        GivenPassword::try_from(text.to_owned()).unwrap()
    }

    fn stored(text: &str) -> StoredHash {
        StoredHash::parse(text).unwrap()
    }

    #[tokio::test]
    async fn a_hash_verifies_its_password_only() {
        let hasher = Hasher::new(1).unwrap();
        let password = Password::try_from("correct horse".to_owned()).unwrap();
        let hash = hasher.hash(password, Queue::SignUp, ME).await.unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        let verify = async |password: &str, hash| hasher.verify(given(password), hash, ME).await;
        let right = verify("correct horse", Some(stored(&hash))).await.unwrap();
        assert_eq!(right, Some(RightPassword { new_hash: None }));
        let wrong = verify("correct house", Some(stored(&hash))).await.unwrap();
        assert_eq!(wrong, None);
        assert_eq!(verify("correct horse", None).await.unwrap(), None);
        // The reference verifier agrees.
        let phc = PasswordHash::new(&hash).unwrap();
        assert!(
            Argon2::default()
                .verify_password(b"correct horse", &phc)
                .is_ok()
        );
    }

    #[tokio::test]
    async fn another_hash_is_replaced_by_one_of_the_same_password() {
        let hasher = Hasher::new(1).unwrap();
        let imported = stored("$2b$04$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie");
        let password = given("correctbatteryhorsestapler");
        let right = hasher.verify(password.clone(), Some(imported), ME).await;
        let new_hash = right.unwrap().and_then(|right| right.new_hash).unwrap();
        assert!(stored(&new_hash).is_current(), "{new_hash}");
        let right = hasher.verify(password, Some(stored(&new_hash)), ME).await;
        assert_eq!(right.unwrap(), Some(RightPassword { new_hash: None }));
    }

    #[tokio::test]
    async fn a_password_that_its_system_did_not_normalize_is_right() {
        let decomposed = "cafe\u{301} au lait";
        let mut output = [0; 32];
        let params = Params::new(64, 1, 1, None).unwrap();
        let salt = b"somesalt";
        stored_hash::argon2id(
            decomposed.as_bytes(),
            salt,
            Version::V0x13,
            &params,
            &mut output,
            &mut Vec::new(),
        )
        .unwrap();
        let output = Output::new(&output).unwrap();
        let imported = stored(&format!("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ${output}"));
        let hasher = Hasher::new(1).unwrap();
        let right = hasher.verify(given(decomposed), Some(imported), ME).await;
        let new_hash = right.unwrap().and_then(|right| right.new_hash).unwrap();
        // From now on it is the same on every device.
        for password in [decomposed, "caf\u{e9} au lait"] {
            let right = hasher
                .verify(given(password), Some(stored(&new_hash)), ME)
                .await;
            assert_eq!(right.unwrap(), Some(RightPassword { new_hash: None }));
        }
    }

    #[tokio::test]
    async fn the_memory_of_a_large_hash_is_freed() {
        let hasher = Hasher::new(2).unwrap();
        let large = "$argon2id$v=19$m=131072,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        let wrong = hasher.verify(given("wrong"), Some(stored(large)), ME).await;
        assert_eq!(wrong.unwrap(), None);
        let pool = hasher.memory.lock().unwrap();
        let current = Params::default().block_count();
        assert!(pool.iter().all(|blocks| blocks.capacity() <= current));
    }
}
