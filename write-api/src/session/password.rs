//! Password hashes: argon2id with the parameters of OWASP's first recommendation (19 MiB, two passes), in PHC
//! strings. A hash costs some 25 ms of a core and 19 MiB, so how many are made at once is limited, and their
//! memory is kept and used again: left to the allocator, every thread would end up with its own.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use argon2::{
    ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version,
    password_hash::{Output, ParamsString, PasswordHash, SaltString},
};
use tokio::{sync::Semaphore, time::timeout};

use crate::domain::Password;

/// How many may wait for their turn, and for how long. More is an attack or an overload.
const WAITING: usize = 128;
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Debug, thiserror::Error)]
pub enum Busy {
    /// The service is not broken, it has too much to do.
    #[error("too many passwords are being checked")]
    Queue,
    /// A hash that does not parse, or no memory.
    #[error("a password cannot be checked: {0}")]
    Broken(String),
}

pub struct Hasher {
    waiting: Arc<Semaphore>,
    at_once: Arc<Semaphore>,
    memory: Arc<Mutex<Vec<Vec<Block>>>>,
    /// Of a password that nobody has. Checked when there is no account, so that it takes as long.
    dummy: String,
}

impl Hasher {
    /// `at_once`: how many hashes may be made at the same time.
    pub fn new(at_once: usize) -> Result<Self, Busy> {
        let mut memory = Vec::new();
        let dummy = hash(&rand::random::<[u8; 16]>(), &mut memory)?;
        Ok(Self {
            waiting: Arc::new(Semaphore::new(WAITING)),
            at_once: Arc::new(Semaphore::new(at_once.max(1))),
            memory: Arc::new(Mutex::new(vec![memory])),
            dummy,
        })
    }

    /// The hash to store of a new password.
    pub async fn hash(&self, password: Password) -> Result<String, Busy> {
        self.off_thread(move |memory| hash(password.as_bytes(), memory))
            .await
    }

    /// Whether the password has this hash. Without a hash it is false, and takes as long.
    pub async fn verify(&self, password: Password, hash: Option<String>) -> Result<bool, Busy> {
        let exists = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.dummy.clone());
        let same = self
            .off_thread(move |memory| verify(password.as_bytes(), &hash, memory))
            .await?;
        Ok(same && exists)
    }

    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Vec<Block>) -> Result<T, Busy> + Send + 'static,
    ) -> Result<T, Busy> {
        let turn = self
            .waiting
            .clone()
            .try_acquire_owned()
            .map_err(|_| Busy::Queue)?;
        let permit = timeout(PATIENCE, self.at_once.clone().acquire_owned()).await;
        let permit = permit.map_err(|_| Busy::Queue)?.map_err(|_| Busy::Queue)?;
        drop(turn);
        let memory = self.memory.clone();
        // The permit goes along: a client that hangs up does not make room for another hash before this one
        // is done.
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let spare = memory.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut blocks = spare.unwrap_or_default();
            let done = work(&mut blocks);
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
    let params = Params::default();
    let salt: [u8; 16] = rand::random();
    let output = derive(password, &salt, &params, memory)?;
    let salt = SaltString::encode_b64(&salt).map_err(broken)?;
    let phc = PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params).map_err(broken)?,
        salt: Some(salt.as_salt()),
        hash: Some(output),
    };
    Ok(phc.to_string())
}

fn verify(password: &[u8], hash: &str, memory: &mut Vec<Block>) -> Result<bool, Busy> {
    let phc = PasswordHash::new(hash).map_err(broken)?;
    let (Some(salt), Some(expected)) = (phc.salt, phc.hash) else {
        return Err(broken("no salt or hash"));
    };
    if phc.algorithm != ARGON2ID_IDENT {
        return Err(broken("not argon2id"));
    }
    let params = Params::try_from(&phc).map_err(broken)?;
    let mut buffer = [0; 64];
    let salt = salt.decode_b64(&mut buffer).map_err(broken)?;
    // `Output` compares in constant time.
    Ok(derive(password, salt, &params, memory)? == expected)
}

fn derive(
    password: &[u8],
    salt: &[u8],
    params: &Params,
    memory: &mut Vec<Block>,
) -> Result<Output, Busy> {
    memory.resize(params.block_count(), Block::default());
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
    argon2
        .hash_password_into_with_memory(password, salt, &mut output, memory)
        .map_err(broken)?;
    Output::new(&output).map_err(broken)
}

#[cfg(test)]
mod tests {
    use argon2::PasswordVerifier;

    use super::*;

    #[tokio::test]
    async fn a_hash_is_good_for_its_password_only() {
        let password = |text: &str| Password::try_from(text.to_owned()).unwrap();
        let hasher = Hasher::new(1).unwrap();
        let hash = hasher.hash(password("correct horse")).await.unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert!(
            hasher
                .verify(password("correct horse"), Some(hash.clone()))
                .await
                .unwrap()
        );
        assert!(
            !hasher
                .verify(password("correct house"), Some(hash.clone()))
                .await
                .unwrap()
        );
        assert!(
            !hasher
                .verify(password("correct horse"), None)
                .await
                .unwrap()
        );
        // Anybody else's implementation agrees.
        let phc = PasswordHash::new(&hash).unwrap();
        assert!(
            Argon2::default()
                .verify_password(b"correct horse", &phc)
                .is_ok()
        );
    }
}
