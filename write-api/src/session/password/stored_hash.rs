//! Password hashes as they are stored: argon2id and, of imported accounts, bcrypt.
//!
//! Imported hashes have the parameters of the system that they are from. The bounds here keep a sign-in from taking more than
//! a few seconds of a core, or more memory than [`MAX_MEMORY`].

use argon2::{
    ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version,
    password_hash::{Output, PasswordHash},
};
use base64::{
    Engine, alphabet,
    engine::{GeneralPurpose, GeneralPurposeConfig},
};

/// The maximum memory of an argon2id hash, in KiB: 256 MiB.
pub const MAX_MEMORY: u32 = 256 * 1024;
/// The maximum product of memory and passes, in KiB. Three passes over 256 MiB (libsodium's "moderate") are within it.
const MAX_WORK: u64 = 1024 * 1024;
const MAX_LANES: u32 = 16;
/// RFC 9106 asks for a salt of at least eight bytes; the library refuses a shorter one when it verifies.
const MIN_SALT: usize = 8;
/// The version in hashes that do not name one.
const OLD_VERSION: u32 = 0x10;

/// Each step doubles the time; 15 takes about two seconds.
const BCRYPT_COSTS: std::ops::RangeInclusive<u32> = 4..=15;
/// bcrypt ignores what follows. The byte NUL at the end of a password is one of them.
const BCRYPT_MAX_PASSWORD: usize = 72;
/// Lengths in characters.
const BCRYPT_SALT: usize = 22;
const BCRYPT_HASH: usize = 31;
/// bcrypt's own base64. Some systems set the unused bits of the last character.
const BCRYPT_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::BCRYPT,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// Why a hash is refused. The message is for the author of an import file and does not contain the hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    #[error("must be an argon2id hash ($argon2id$…) or a bcrypt hash ($2a$…, $2b$… or $2y$…)")]
    UnknownKind,
    #[error("is not a valid argon2id hash: {0}")]
    Argon2id(String),
    #[error("is not a valid bcrypt hash: {0}")]
    Bcrypt(&'static str),
    #[error("takes too much memory or time: {0}")]
    TooExpensive(String),
}

/// A parsed hash.
#[derive(Clone)]
pub struct StoredHash(Kind);

#[derive(Clone)]
enum Kind {
    Argon2id {
        version: Version,
        params: Params,
        salt: Vec<u8>,
        expected: Output,
    },
    Bcrypt {
        cost: u32,
        salt: [u8; 16],
        expected: Output,
    },
}

impl StoredHash {
    pub fn parse(text: &str) -> Result<Self, HashError> {
        let bcrypt = ["$2a$", "$2b$", "$2y$"];
        if let Some(rest) = bcrypt.iter().find_map(|prefix| text.strip_prefix(prefix)) {
            return parse_bcrypt(rest).map(Self);
        }
        if text.starts_with("$argon2id$") {
            return parse_argon2id(text).map(Self);
        }
        Err(HashError::UnknownKind)
    }

    /// Whether a new hash would have the same parameters.
    pub fn is_current(&self) -> bool {
        match &self.0 {
            Kind::Argon2id {
                version, params, ..
            } => {
                let current = Params::default();
                let costs = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
                *version == Version::V0x13
                    && costs(params) == costs(&current)
                    && params.output_len() == Some(Params::DEFAULT_OUTPUT_LEN)
            }
            Kind::Bcrypt { .. } => false,
        }
    }

    /// The memory that a verification takes, in KiB.
    pub fn memory(&self) -> u32 {
        match &self.0 {
            Kind::Argon2id { params, .. } => params.m_cost(),
            Kind::Bcrypt { .. } => 0,
        }
    }

    /// Whether the password has this hash. The comparison takes constant time.
    pub fn matches(&self, password: &[u8], memory: &mut Vec<Block>) -> Result<bool, String> {
        let (actual, expected) = match &self.0 {
            Kind::Argon2id {
                version,
                params,
                salt,
                expected,
            } => {
                let mut output = [0; Output::MAX_LENGTH];
                let output = &mut output[..expected.len()];
                argon2id(password, salt, *version, params, output, memory)?;
                (Output::new(output), expected)
            }
            Kind::Bcrypt {
                cost,
                salt,
                expected,
            } => (Output::new(&bcrypt(password, *cost, *salt)[..]), expected),
        };
        // `Output` compares in constant time.
        Ok(actual.map_err(|error| error.to_string())? == *expected)
    }
}

/// Fills `output` with the hash. `memory` is scratch space.
pub fn argon2id(
    password: &[u8],
    salt: &[u8],
    version: Version,
    params: &Params,
    output: &mut [u8],
    memory: &mut Vec<Block>,
) -> Result<(), String> {
    memory.resize(params.block_count(), Block::default());
    Argon2::new(Algorithm::Argon2id, version, params.clone())
        .hash_password_into_with_memory(password, salt, output, memory)
        .map_err(|error| error.to_string())
}

/// The 23 bytes that bcrypt stores.
fn bcrypt(password: &[u8], cost: u32, salt: [u8; 16]) -> [u8; 23] {
    let mut input = [0; BCRYPT_MAX_PASSWORD];
    let length = password.len().min(BCRYPT_MAX_PASSWORD);
    input[..length].copy_from_slice(&password[..length]);
    let with_nul = (length + 1).min(BCRYPT_MAX_PASSWORD);
    let output = bcrypt::bcrypt(cost, salt, &input[..with_nul]);
    std::array::from_fn(|index| output[index])
}

fn parse_argon2id(text: &str) -> Result<Kind, HashError> {
    let invalid = |reason: &str| HashError::Argon2id(reason.to_owned());
    let phc = PasswordHash::new(text).map_err(|error| invalid(&error.to_string()))?;
    if phc.algorithm != ARGON2ID_IDENT {
        return Err(HashError::UnknownKind);
    }
    let (Some(salt), Some(expected)) = (phc.salt, phc.hash) else {
        return Err(invalid("it has no salt or no hash"));
    };
    let version = Version::try_from(phc.version.unwrap_or(OLD_VERSION));
    let version = version.map_err(|_| invalid("v must be 16 or 19"))?;
    let (mut memory, mut passes, mut lanes) = (None, None, None);
    for (name, value) in phc.params.iter() {
        let target = match name.as_str() {
            "m" => &mut memory,
            "t" => &mut passes,
            "p" => &mut lanes,
            // A key would be needed to verify the hash.
            _ => return Err(invalid("it has a parameter other than m, t and p")),
        };
        let value = value.decimal();
        *target = Some(value.map_err(|_| invalid("a parameter is not a number"))?);
    }
    let (Some(memory), Some(passes), Some(lanes)) = (memory, passes, lanes) else {
        return Err(invalid("it lacks m, t or p"));
    };
    let work = u64::from(memory) * u64::from(passes);
    if memory > MAX_MEMORY || work > MAX_WORK || lanes > MAX_LANES {
        let max_passes = MAX_WORK / u64::from(MAX_MEMORY);
        return Err(HashError::TooExpensive(format!(
            "m may be up to {MAX_MEMORY} (with t up to {max_passes}; m × t up to {MAX_WORK}), p up to {MAX_LANES}"
        )));
    }
    let params = Params::new(memory, passes, lanes, Some(expected.len()));
    let params = params.map_err(|error| invalid(&error.to_string()))?;
    let mut buffer = [0; 64];
    let salt = salt.decode_b64(&mut buffer);
    let salt = salt.map_err(|error| invalid(&error.to_string()))?;
    if salt.len() < MIN_SALT {
        return Err(invalid("the salt is shorter than 8 bytes"));
    }
    Ok(Kind::Argon2id {
        version,
        params,
        salt: salt.to_vec(),
        expected,
    })
}

/// `rest` is what follows the prefix: two digits, `$`, and 53 characters.
fn parse_bcrypt(rest: &str) -> Result<Kind, HashError> {
    let (cost, encoded) = rest
        .split_once('$')
        .ok_or(HashError::Bcrypt("it has no $ after the cost"))?;
    if cost.len() != 2 || !cost.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(HashError::Bcrypt("the cost is not two digits"));
    }
    let cost: u32 = cost.parse().unwrap_or_default();
    if cost > *BCRYPT_COSTS.end() {
        let end = BCRYPT_COSTS.end();
        return Err(HashError::TooExpensive(format!(
            "the cost may be up to {end}"
        )));
    }
    if !BCRYPT_COSTS.contains(&cost) {
        return Err(HashError::Bcrypt("the cost is less than 4"));
    }
    if encoded.len() != BCRYPT_SALT + BCRYPT_HASH || !encoded.is_ascii() {
        return Err(HashError::Bcrypt(
            "53 characters must follow the cost: salt and hash",
        ));
    }
    let (salt, hash) = encoded.split_at(BCRYPT_SALT);
    let decode = |text: &str| {
        let bytes = BCRYPT_BASE64.decode(text);
        bytes.map_err(|_| HashError::Bcrypt("salt or hash has a wrong character"))
    };
    let wrong_length = HashError::Bcrypt("salt or hash is too short");
    let salt = <[u8; 16]>::try_from(decode(salt)?).map_err(|_| wrong_length.clone())?;
    let expected = Output::new(&decode(hash)?).map_err(|_| wrong_length)?;
    Ok(Kind::Bcrypt {
        cost,
        salt,
        expected,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(hash: &str, password: &str) -> bool {
        let hash = StoredHash::parse(hash).unwrap();
        hash.matches(password.as_bytes(), &mut Vec::new()).unwrap()
    }

    /// Of the test suite of the crate bcrypt, made by Python and Node.
    const BCRYPT: [&str; 2] = [
        "$2b$04$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie",
        "$2a$04$n4Uy0eSnMfvnESYL.bLwuuj0U/ETSsoTpRT9GVk5bektyVVa5xnIi",
    ];

    #[test]
    fn a_bcrypt_hash_of_another_system_verifies_its_password_only() {
        for hash in BCRYPT {
            assert!(matches(hash, "correctbatteryhorsestapler"), "{hash}");
            assert!(!matches(hash, "correctbatteryhorsestaple"), "{hash}");
            let php = hash.replace("$2b$", "$2y$").replace("$2a$", "$2y$");
            assert!(matches(&php, "correctbatteryhorsestapler"), "{php}");
        }
        // Only the first 72 bytes count.
        let hash = "$2a$05$......................YgIDy4hFBdVlc/6LHnD9mX488r9cLd2";
        assert!(matches(hash, &"x".repeat(100)));
        assert!(!matches(hash, &"x".repeat(71)));
    }

    #[test]
    fn unused_bits_of_a_bcrypt_salt_may_be_set() {
        // The last character of the salt has two bits of it: O and P have the same ones.
        let hash = BCRYPT[0].replace("X0HQOxSg", "X0HQPxSg");
        assert!(matches(&hash, "correctbatteryhorsestapler"));
    }

    /// Test vectors of the reference implementation (phc-winner-argon2, test.c), version 1.3.
    #[test]
    fn an_argon2id_hash_of_another_system_verifies_its_password_only() {
        for (hash, password) in [
            (
                "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
                "password",
            ),
            (
                "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
                "password",
            ),
        ] {
            assert!(matches(hash, password), "{hash}");
            assert!(!matches(hash, "differentpassword"), "{hash}");
            assert!(!StoredHash::parse(hash).unwrap().is_current());
        }
    }

    #[test]
    fn only_the_current_parameters_are_current() {
        let current = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        let is_current = |hash: &str| StoredHash::parse(hash).unwrap().is_current();
        assert!(is_current(current));
        for (from, to) in [
            ("m=19456", "m=65536"),
            ("t=2", "t=3"),
            ("p=1", "p=4"),
            ("v=19", "v=16"),
            ("v=19$", ""),
            ("U1bMCHGi/4", "U1bMCHG"),
        ] {
            let other = current.replace(from, to);
            assert_ne!(other, current);
            assert!(!is_current(&other), "{other}");
        }
        assert!(!is_current(BCRYPT[0]));
    }

    #[test]
    fn what_is_no_valid_hash_is_refused() {
        let argon2id = |parameters: &str| {
            format!(
                "$argon2id$v=19${parameters}$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
            )
        };
        assert!(StoredHash::parse(&argon2id("m=65536,t=3,p=4")).is_ok());
        let invalid = [
            String::new(),
            "5f4dcc3b5aa765d61d8327deb882cf99".to_owned(),
            "$1$salt$hash".to_owned(),
            "$2x$04$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie".to_owned(),
            "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
                .to_owned(),
            "$argon2id$".to_owned(),
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ".to_owned(),
            argon2id("m=256,t=2"),
            argon2id("m=7,t=2,p=1"),
            argon2id("m=256,t=0,p=1"),
            argon2id("m=256,t=2,p=0"),
            argon2id("m=256,t=2,p=x"),
            argon2id("m=256,t=2,p=1,keyid=aaaa"),
            argon2id("m=256,t=2,p=1").replace("v=19", "v=18"),
            argon2id("m=256,t=2,p=1").replace("c29tZXNhbHQ", "c29t"),
            argon2id("m=256,t=2,p=1").replace("c29tZXNhbHQ", "c29t.ZXN-hbHQ"),
            "$2b$".to_owned(),
            BCRYPT[0].replace("$04$", "$03$"),
            BCRYPT[0].replace("$04$", "$4$"),
            BCRYPT[0].replace("$04$", "$+4$"),
            BCRYPT[0].replace("cie", "ci"),
            BCRYPT[0].replace("cie", "ci+"),
            BCRYPT[0].replace("cie", "cié"),
        ];
        for hash in invalid {
            let error = StoredHash::parse(&hash).err();
            let error = error.unwrap_or_else(|| panic!("{hash} is accepted"));
            assert!(!matches!(error, HashError::TooExpensive(_)), "{hash}");
        }
    }

    #[test]
    fn a_hash_that_takes_too_much_is_refused() {
        let argon2id = |parameters: &str| {
            format!(
                "$argon2id$v=19${parameters}$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
            )
        };
        assert!(StoredHash::parse(&argon2id("m=262144,t=4,p=16")).is_ok());
        assert!(StoredHash::parse(&BCRYPT[0].replace("$04$", "$15$")).is_ok());
        for hash in [
            argon2id("m=262145,t=1,p=1"),
            argon2id("m=262144,t=5,p=1"),
            argon2id("m=65536,t=17,p=1"),
            argon2id("m=8,t=4294967295,p=1"),
            argon2id("m=65536,t=3,p=17"),
            argon2id("m=4294967295,t=4294967295,p=4294967295"),
            BCRYPT[0].replace("$04$", "$16$"),
            BCRYPT[0].replace("$04$", "$31$"),
        ] {
            let error = StoredHash::parse(&hash).err();
            assert!(
                matches!(error, Some(HashError::TooExpensive(_))),
                "{hash}: {error:?}"
            );
        }
    }
}
