//! The most common passwords, which whoever guesses tries first. The file names its source and licence.

use std::{collections::HashSet, sync::LazyLock};

static COMMON: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let lines = include_str!("common_passwords.txt").lines();
    lines.filter(|line| !line.starts_with('#')).collect()
});

/// Whether a password is a common one, in upper or lower case.
pub fn contains(password: &str) -> bool {
    COMMON.contains(&*password.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_passwords_that_are_long_enough_and_nothing_else() {
        assert_eq!(COMMON.len(), 10_000);
        for password in COMMON.iter() {
            assert!(password.len() >= 8, "{password}");
            assert_eq!(password.to_lowercase(), **password);
        }
        assert!(contains("password") && contains("PassWord1"));
        assert!(!contains("correct horse"));
    }
}
