//! Password hashes: argon2id with the parameters of OWASP's first recommendation (19 MiB, two passes), as PHC strings.
//!
//! A hash takes about 25 ms of a core and 19 MiB, so the number of concurrent hashes is limited. Their memory is pooled:
//! the allocator would keep 19 MiB for every thread.

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

/// How many hashes may wait, and for how long. Beyond that it is an attack or an overload.
const MAX_WAITING: usize = 128;
const WAIT_TIMEOUT: Duration = Duration::from_secs(3);

#[derive(Debug, thiserror::Error)]
pub enum Busy {
    /// Too many hashes are waiting.
    #[error("too many passwords are being checked")]
    Queue,
    /// The stored hash is invalid, or there is no memory.
    #[error("a password cannot be checked: {0}")]
    Broken(String),
}

pub struct Hasher {
    waiting: Arc<Semaphore>,
    running: Arc<Semaphore>,
    memory: Arc<Mutex<Vec<Vec<Block>>>>,
    /// The hash of a random password. It is verified if there is no account, so that the time is the same.
    dummy: String,
}

impl Hasher {
    /// `max_running` is the maximum number of concurrent hashes.
    pub fn new(max_running: usize) -> Result<Self, Busy> {
        let mut memory = Vec::new();
        let dummy = hash(&rand::random::<[u8; 16]>(), &mut memory)?;
        Ok(Self {
            waiting: Arc::new(Semaphore::new(MAX_WAITING)),
            running: Arc::new(Semaphore::new(max_running.max(1))),
            memory: Arc::new(Mutex::new(vec![memory])),
            dummy,
        })
    }

    /// Hashes a new password.
    pub async fn hash(&self, password: Password) -> Result<String, Busy> {
        self.off_thread(move |memory| hash(password.as_bytes(), memory))
            .await
    }

    /// Whether the password has this hash. Without a hash it is false, after the same time.
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
        let permit = timeout(WAIT_TIMEOUT, self.running.clone().acquire_owned()).await;
        let permit = permit.map_err(|_| Busy::Queue)?.map_err(|_| Busy::Queue)?;
        drop(turn);
        let memory = self.memory.clone();
        // The permit moves into the task: a client that disconnects does not make room for another hash before this
        // one has finished.
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
    async fn a_hash_verifies_its_password_only() {
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
        // The reference verifier agrees.
        let phc = PasswordHash::new(&hash).unwrap();
        assert!(
            Argon2::default()
                .verify_password(b"correct horse", &phc)
                .is_ok()
        );
    }
}
