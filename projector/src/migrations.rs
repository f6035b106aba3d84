//! The files of `migrations/read/`, embedded by `build.rs`: a constant per schema, named after its folder, with the
//! files in the order of their names.

#[derive(Debug)]
pub struct Migration {
    /// The file's name without its extension: what the control schema records as applied.
    pub name: &'static str,
    pub sql: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/migrations.rs"));
