//! A community that comes as import records: what they say, and what must be read once they are in.

mod check;
mod expected;
mod generate;
mod record;

pub use check::{ImportRun, broken_lines, import, wait_until_projected};
pub use expected::{Difference, compare_expected};
pub use generate::generate;
pub use record::{Names, Record, model};
