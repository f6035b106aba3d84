use proptest::prelude::*;

use super::*;

fn post(raw: &str) -> Result<String, TextError> {
    clean(raw, 1, 5_000, Layout::Lines)
}

/// A text that may be empty.
fn bio(raw: &str) -> Result<String, TextError> {
    clean(raw, 0, 500, Layout::Lines)
}

fn name(raw: &str) -> Result<String, TextError> {
    DisplayName::try_from(raw.to_owned()).map(String::from)
}

#[test]
fn texts_are_trimmed_and_normalized() {
    assert_eq!(post("  cafe\u{301}\n").unwrap(), "caf\u{e9}");
    assert_eq!(post("a\nb").unwrap(), "a\nb");
}

#[test]
fn a_text_of_the_wrong_length_is_refused() {
    assert_eq!(
        post(" \t "),
        Err(TextError::Length {
            min: 1,
            max: 5_000,
            actual: 0
        })
    );
    assert!(post(&"é".repeat(5_000)).is_ok());
    assert_eq!(
        post(&"é".repeat(5_001)),
        Err(TextError::Length {
            min: 1,
            max: 5_000,
            actual: 5_001
        })
    );
}

#[test]
fn carriage_returns_become_line_feeds_and_tabs_stay() {
    assert_eq!(
        post("a\r\nb\rc\n\r\n\td\r").unwrap(),
        "a\nb\nc\n\n\td",
        "a post"
    );
    // A CR LF counts as one character.
    assert!(post(&"a\r\n".repeat(2_500)).is_ok());
}

#[test]
fn control_characters_are_refused() {
    for bad in ["a\0b", "a\u{7}b", "a\u{b}b", "a\u{85}b", "a\u{9f}b"] {
        assert!(matches!(post(bad), Err(TextError::Control(_))), "{bad:?}");
    }
    for bad in [
        "two\nlines",
        "two\r\nlines",
        "two\rlines",
        "a\tb",
        "a\u{b}b",
    ] {
        assert!(matches!(name(bad), Err(TextError::Control(_))), "{bad:?}");
    }
}

#[test]
fn what_shows_nothing_is_refused() {
    for bad in [
        "\u{200b}",
        "\u{3164}",
        "\u{115f}\u{1160}",
        "\u{ffa0}",
        "\u{2800}",
        "\u{ad}",
        "\u{feff} \u{2060}",
        "\u{200d}\u{fe0f}",
        "\u{e0041}",
        "\u{202b}\u{202c}",
        "\u{2066}\u{3164}\u{2069}",
        "\u{180e}",
    ] {
        assert_eq!(post(bad), Err(TextError::Invisible), "{bad:?}");
        assert_eq!(name(bad), Err(TextError::Invisible), "{bad:?}");
        assert_eq!(bio(bad), Err(TextError::Invisible), "{bad:?}");
    }
    assert_eq!(post("\u{200b}\n\u{3164}"), Err(TextError::Invisible));
    for good in ["\u{200b}a", "👩\u{200d}🌾", "❤\u{fe0f}", "नमस्\u{200d}ते"] {
        assert_eq!(post(good).unwrap(), good);
        assert_eq!(name(good).unwrap(), good);
    }
    assert_eq!(bio("  ").unwrap(), "");
}

#[test]
fn a_name_does_not_reorder_or_break_what_is_beside_it() {
    for bad in ["a\u{202e}b", "\u{2067}a", "a\u{202c}", "a\u{2069}b"] {
        assert_eq!(name(bad), Err(TextError::Bidirectional), "{bad:?}");
        assert!(post(bad).is_ok(), "{bad:?} in a post");
    }
    for bad in ["a\u{2028}b", "a\u{2029}b"] {
        assert!(matches!(name(bad), Err(TextError::LineSeparator(_))));
        assert!(post(bad).is_ok(), "{bad:?} in a post");
    }
    assert!(name("\u{2067}שלום\u{2069} \u{200f}!").is_ok());
}

#[test]
fn a_handle_is_lower_case() {
    assert_eq!(
        Handle::try_from("Old_Mill7".to_owned()).unwrap().as_str(),
        "old_mill7"
    );
    for bad in ["a", "", "with space", "ümlaut", "dash-ed", &"a".repeat(31)] {
        assert!(Handle::try_from(bad.to_owned()).is_err(), "{bad:?}");
    }
}

#[test]
fn a_reserved_handle_is_a_handle_that_nobody_may_choose() {
    let chosen = |raw: &str| ChosenHandle::try_from(raw.to_owned());
    assert_eq!(chosen("Admin"), Err(TextError::ReservedHandle));
    assert!(chosen("miller").is_ok());
    assert!(Handle::try_from("Admin".to_owned()).is_ok_and(|handle| handle.is_reserved()));
}

/// Texts with many characters that are treated in a special way.
fn raw_text() -> impl Strategy<Value = String> {
    let special = prop::sample::select(
        "\r\n\t \u{85}\u{b}\u{2028}\u{3164}\u{200b}\u{202e}\u{202c}\u{2066}\u{2069}e\u{301}\u{1161}\u{1100}"
            .chars()
            .collect::<Vec<char>>(),
    );
    let character = prop_oneof![3 => special, 1 => any::<char>()];
    prop::collection::vec(character, 0..40).prop_map(|chars| chars.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_accepted_text_is_clean(raw in raw_text()) {
        if let Ok(text) = post(&raw) {
            prop_assert_eq!(text.trim(), &text);
            prop_assert!(unicode_normalization::is_nfc(&text));
            prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
            prop_assert!(!text.chars().all(unicode::is_invisible));
        }
        if let Ok(name) = name(&raw) {
            prop_assert!(!name.chars().any(|c| c.is_control() || unicode::is_line_separator(c)));
            prop_assert!(unicode::has_balanced_bidi_controls(&name));
            prop_assert_eq!(post(&raw), Ok(name));
        }
    }

    /// What a client reads and sends again stays as it is.
    #[test]
    fn cleaning_twice_changes_nothing(raw in raw_text()) {
        if let Ok(text) = post(&raw) {
            prop_assert_eq!(post(&text), Ok(text));
        }
        if let Ok(text) = name(&raw) {
            prop_assert_eq!(name(&text), Ok(text));
        }
    }

    /// How lines end makes no difference.
    #[test]
    fn line_ends_are_equal(raw in raw_text()) {
        let raw = raw.replace('\r', "");
        let expected = post(&raw);
        prop_assert_eq!(post(&raw.replace('\n', "\r\n")), expected.clone());
        prop_assert_eq!(post(&raw.replace('\n', "\r")), expected);
    }
}
