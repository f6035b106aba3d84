//! Random texts.

use rand::{Rng, rngs::StdRng};

/// Ordered by frequency.
const WORDS: &str = "the to and of a in is it you that for on we was with this have be not are but at my so \
    they all just what if can me one about out up when time will your like day more good know people new now \
    there her him see from work get how some back our first well even want because any these give most make \
    think after use two way only over also come than other look then its could into year take morning water \
    river window garden train coffee bread market letter bridge evening summer winter stone field harbour \
    kitchen weather music picture story village paper mountain number question answer house street machine \
    light station corner table bicycle engine orchard lantern pocket neighbour bakery library concert ferry \
    island meadow cellar mirror ladder basket blanket candle button thread needle hammer copper silver iron \
    timber gravel pebble thunder rainbow sunrise shadow whisper laughter silence promise journey holiday \
    birthday wedding festival tournament rehearsal recipe vinegar pepper cinnamon almond walnut raspberry \
    mushroom onion carrot potato spinach lettuce tomato cucumber radish turnip cabbage dumpling pancake \
    measured forgotten repaired borrowed painted wandered listened gathered polished hidden crowded narrow \
    ancient curious gentle stubborn careful brilliant ordinary peculiar enormous delicate splendid reliable \
    yesterday tomorrow tonight sometimes nearly hardly suddenly quietly slowly perhaps indeed anyway somewhere \
    translator carpenter conductor librarian fisherman postman gardener astronomer mathematician violinist \
    telescope compass barometer calendar notebook envelope umbrella suitcase raincoat typewriter accordion \
    chimney staircase balcony courtyard warehouse lighthouse windmill aqueduct monastery observatory";

/// A random word. The word of rank r has a probability in proportion to 1/r, as in natural languages (Zipf, 1935).
pub fn word(rng: &mut StdRng) -> &'static str {
    static ALL: std::sync::OnceLock<Vec<&str>> = std::sync::OnceLock::new();
    let all = ALL.get_or_init(|| WORDS.split_whitespace().collect());
    let rank = (all.len() as f64 + 1.0).powf(rng.r#gen::<f64>());
    all[(rank as usize - 1) % all.len()]
}

pub fn capitalize(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

/// A sentence of `words` words, with punctuation.
pub fn sentence(rng: &mut StdRng, words: usize) -> String {
    let mut text = capitalize(word(rng));
    for _ in 1..words {
        text.push_str(match rng.gen_range(0..24) {
            0 => ", ",
            1 => " - ",
            _ => " ",
        });
        text.push_str(word(rng));
    }
    text.push(if rng.gen_bool(0.15) { '!' } else { '.' });
    text
}
