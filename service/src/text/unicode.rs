//! What texts need to know of Unicode: characters that show nothing, line separators, and bidirectional controls.

use std::ops::RangeInclusive;

/// Characters that show nothing and are not white space: those with the property `Default_Ignorable_Code_Point` (zero-width
/// and filler characters, most format characters, variation selectors), the format characters that it leaves out and that
/// have no glyph, and blank symbols. In ascending order. From Unicode 16; a character that a later version adds counts as
/// visible. A crate of Unicode properties has larger tables, and none with the blank symbols.
const INVISIBLE: &[RangeInclusive<char>] = &[
    '\u{ad}'..='\u{ad}',       // soft hyphen
    '\u{34f}'..='\u{34f}',     // combining grapheme joiner
    '\u{61c}'..='\u{61c}',     // Arabic letter mark
    '\u{115f}'..='\u{1160}',   // Hangul fillers
    '\u{17b4}'..='\u{17b5}',   // Khmer inherent vowels
    '\u{180b}'..='\u{180f}',   // Mongolian variation selectors and vowel separator
    '\u{200b}'..='\u{200f}',   // zero-width space, joiners and marks
    '\u{202a}'..='\u{202e}',   // bidirectional controls
    '\u{2060}'..='\u{206f}', // word joiner, invisible operators, isolates, deprecated format characters
    '\u{2800}'..='\u{2800}', // Braille pattern blank
    '\u{3164}'..='\u{3164}', // Hangul filler
    '\u{fe00}'..='\u{fe0f}', // variation selectors
    '\u{feff}'..='\u{feff}', // zero-width no-break space
    '\u{ffa0}'..='\u{ffa0}', // halfwidth Hangul filler
    '\u{fff0}'..='\u{fffb}', // specials: unassigned, and interlinear annotation
    '\u{13430}'..='\u{1343f}', // Egyptian hieroglyph format controls
    '\u{16fe4}'..='\u{16fe4}', // Khitan small script filler
    '\u{1bca0}'..='\u{1bca3}', // shorthand format controls
    '\u{1d159}'..='\u{1d159}', // musical symbol null notehead
    '\u{1d173}'..='\u{1d17a}', // musical format controls
    '\u{e0000}'..='\u{e0fff}', // tags and variation selectors
];

/// Whether a character shows nothing: white space, or a character of [`INVISIBLE`].
pub fn is_invisible(c: char) -> bool {
    let after = INVISIBLE.partition_point(|range| *range.end() < c);
    c.is_whitespace() || INVISIBLE.get(after).is_some_and(|range| range.contains(&c))
}

/// The line and the paragraph separator. Other characters that begin a line are control characters.
pub fn is_line_separator(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}')
}

const POP_DIRECTIONAL_FORMATTING: char = '\u{202c}';
const POP_DIRECTIONAL_ISOLATE: char = '\u{2069}';

/// Whether the embeddings, overrides and isolates of a text (UAX #9) are nested and closed. An open one reorders what follows
/// the text; one that closes what the text did not open ends an isolate that surrounds the text.
pub fn has_balanced_bidi_controls(text: &str) -> bool {
    // The characters that close what is open.
    let mut open = Vec::new();
    for c in text.chars() {
        match c {
            // LRE, RLE, LRO, RLO
            '\u{202a}' | '\u{202b}' | '\u{202d}' | '\u{202e}' => {
                open.push(POP_DIRECTIONAL_FORMATTING);
            }
            // LRI, RLI, FSI
            '\u{2066}'..='\u{2068}' => open.push(POP_DIRECTIONAL_ISOLATE),
            POP_DIRECTIONAL_FORMATTING | POP_DIRECTIONAL_ISOLATE if open.pop() != Some(c) => {
                return false;
            }
            _ => {}
        }
    }
    open.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order() {
        assert!(INVISIBLE.is_sorted_by(|a, b| a.end() < b.start()));
    }

    #[test]
    fn letters_marks_symbols_and_emoji_are_visible() {
        for c in "aé東ㄱ가अ\u{301}\u{a8}·⠁😀\u{600}\u{6dd}\u{fffc}".chars() {
            assert!(!is_invisible(c), "U+{:04X}", c as u32);
        }
    }

    #[test]
    fn bidirectional_controls_are_balanced_if_nested_and_closed() {
        for balanced in [
            "",
            "plain",
            "\u{200e}\u{200f}\u{61c}",
            "\u{202b}a\u{202c}",
            "\u{2067}a\u{202e}b\u{202c}\u{2069}c\u{2068}d\u{2069}",
        ] {
            assert!(has_balanced_bidi_controls(balanced), "{balanced:?}");
        }
        for unbalanced in [
            "a\u{202e}b",
            "\u{2066}a",
            "a\u{202c}",
            "a\u{2069}",
            "\u{2066}a\u{202c}",
            "\u{2067}\u{202e}a\u{2069}\u{202c}",
        ] {
            assert!(!has_balanced_bidi_controls(unbalanced), "{unbalanced:?}");
        }
    }
}
