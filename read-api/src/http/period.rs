//! The period of a digest: a UTC day, or an ISO week.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, Utc};
use feedmill_service::FieldError;

/// From midnight to midnight. `to` is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    pub name: &'static str,
    pub from: NaiveDate,
    pub to: NaiveDate,
}

impl Period {
    /// `period` is `day` (the default) or `week`, and `date` any day of it (by default `today`). The error names every
    /// invalid parameter.
    pub fn parse(
        period: Option<&str>,
        date: Option<&str>,
        today: NaiveDate,
    ) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let days = match period {
            None | Some("day") => 1,
            Some("week") => 7,
            Some(_) => {
                errors.push(FieldError::new("period", "must be day or week"));
                1
            }
        };
        let date = date.map_or(Some(today), parse_date);
        if date.is_none() {
            errors.push(FieldError::new("date", "must be a date such as 2024-04-13"));
        }
        let into_week = |date: NaiveDate| {
            if days == 7 {
                date.weekday().num_days_from_monday()
            } else {
                0
            }
        };
        let from = date.and_then(|date| date.checked_sub_days(Days::new(into_week(date).into())));
        let to = from.and_then(|from| from.checked_add_days(Days::new(days)));
        match (from, to) {
            (Some(from), Some(to)) if errors.is_empty() => Ok(Self {
                name: if days == 7 { "week" } else { "day" },
                from,
                to,
            }),
            _ => Err(errors),
        }
    }
}

/// The beginning of a day.
pub fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

/// Exactly `YYYY-MM-DD`. Years 1 to 9998, so that both ends of a week have four digits.
fn parse_date(text: &str) -> Option<NaiveDate> {
    let shape = text.bytes().enumerate().all(|(index, byte)| match index {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    if !shape || text.len() != 10 {
        return None;
    }
    let date: NaiveDate = text.parse().ok()?;
    (1..=9998).contains(&date.year()).then_some(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn any_day_selects_its_week() {
        for date in ["2024-12-30", "2025-01-01", "2025-01-05"] {
            let week = Period::parse(Some("week"), Some(date), day("2020-01-01")).unwrap();
            assert_eq!(
                (week.from, week.to),
                (day("2024-12-30"), day("2025-01-06")),
                "{date}"
            );
        }
    }

    #[test]
    fn the_default_is_today() {
        let period = Period::parse(None, None, day("2024-02-29")).unwrap();
        assert_eq!(
            period,
            Period {
                name: "day",
                from: day("2024-02-29"),
                to: day("2024-03-01")
            }
        );
    }

    #[test]
    fn the_error_names_every_invalid_parameter() {
        let errors =
            Period::parse(Some("month"), Some("2024-02-30"), day("2024-01-01")).unwrap_err();
        let fields: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["period", "date"]);
        for bad in [
            "",
            "2024-1-1",
            "+024-01-01",
            "0000-01-01",
            "9999-12-31",
            "2024-01-01 ",
            "2024/01/01",
        ] {
            assert!(
                Period::parse(None, Some(bad), day("2024-01-01")).is_err(),
                "{bad:?}"
            );
        }
    }
}
