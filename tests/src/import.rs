//! Communities as import records: generated or from a file, imported, and compared with what must be read then.

mod broken;
mod expected;
mod generate;
mod record;
mod run;

pub use broken::broken_lines;
pub use expected::{Difference, compare_expected};
pub use generate::generate;
pub use record::{Names, Record, oracle};
pub use run::{ImportRun, import, import_lines};
