//! Communities as import records: generated or from a file, imported, and compared with what must be read then.

mod broken;
mod community;
mod expected;
mod generate;
mod names;
mod record;
mod replay;
mod run;

pub use broken::broken_lines;
pub use expected::{Difference, compare_expected};
pub use generate::generate;
pub use names::Names;
pub use record::Record;
pub use replay::oracle;
pub use run::{ImportRun, import, import_lines};
