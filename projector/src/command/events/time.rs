//! Times on the command line and in forms.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};

/// A time in RFC 3339, or how long ago, such as `90s`, `15m`, `2h` or `3d`.
pub fn parse_time(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.to_utc());
    }
    let invalid =
        || "a time is written as 2026-01-31T12:00:00Z, or as 90s, 15m, 2h or 3d ago".to_owned();
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3_600,
        Some('d') => 86_400,
        _ => return Err(invalid()),
    };
    let count: u64 = text[..text.len() - 1].parse().map_err(|_| invalid())?;
    let ago = count.checked_mul(unit).map(Duration::from_secs);
    let at = ago.and_then(|ago| SystemTime::now().checked_sub(ago));
    at.map(DateTime::from).ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_absolute_or_a_duration_before_now() {
        assert_eq!(
            parse_time("2026-01-31T12:00:00Z").unwrap().timestamp(),
            1_769_860_800
        );
        let hour = DateTime::<Utc>::from(SystemTime::now()) - parse_time("60m").unwrap();
        assert!((3_599..=3_601).contains(&hour.num_seconds()));
        for invalid in [
            "",
            "5",
            "m",
            "-5m",
            "5w",
            "yesterday",
            "99999999999999999999d",
        ] {
            assert!(parse_time(invalid).is_err(), "{invalid:?}");
        }
    }
}
