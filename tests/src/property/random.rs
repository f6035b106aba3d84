//! How random commands are generated: each kind of command draws its times and its arguments from a source of
//! randomness of its own, so that a new kind changes nothing of the others.

use feedmill_events::id;
use rand::{Rng, SeedableRng, rngs::StdRng};

/// The n-th of something, modulo how many there are when the command runs. So a sequence from which some commands
/// are left out still has a meaning.
pub type Pick = usize;

/// What a kind of command is about. Some sequences are mostly about one theme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    Accounts,
    Feed,
    Conversations,
}

/// A kind of command.
pub struct Kind<C> {
    /// Names its source of randomness: a kind that is renamed gives other sequences.
    pub name: &'static str,
    /// How many there are among a hundred commands, about.
    pub percent: f64,
    pub theme: Theme,
    pub draw: Box<dyn Fn(&mut StdRng) -> C + Send>,
}

impl<C> Kind<C> {
    pub fn new(
        name: &'static str,
        percent: f64,
        theme: Theme,
        draw: impl Fn(&mut StdRng) -> C + Send + 'static,
    ) -> Self {
        Self {
            name,
            percent,
            theme,
            draw: Box::new(draw),
        }
    }
}

/// The source of randomness with this name, of a seed.
pub fn source(seed: u64, name: &str) -> StdRng {
    StdRng::seed_from_u64(seed ^ id::fnv1a(name.bytes()))
}

pub fn pick(rng: &mut StdRng) -> Pick {
    rng.gen_range(0..1_000)
}

/// Usually true: most commands are allowed, and now and then one is not.
pub fn usually(rng: &mut StdRng) -> bool {
    rng.gen_bool(0.85)
}

/// A text as it is sent, and as it is stored.
pub fn text(pick: Pick) -> (String, String) {
    let same = |text: String| (text.clone(), text);
    match pick % 6 {
        0 => (
            format!("  spaces around {pick}\n"),
            format!("spaces around {pick}"),
        ),
        1 => same(format!("two\nlines \"{pick}\" \\ </b>")),
        2 => (format!("cafe\u{301} {pick}"), format!("caf\u{e9} {pick}")),
        3 => same(format!("東京 🌾 {pick}")),
        4 => (
            format!("\r\nthree\r\n\tlines\r{pick}\t"),
            format!("three\n\tlines\n{pick}"),
        ),
        _ => same(format!("plain {pick}")),
    }
}
