//! Rebuilds write-api when a migration is added or changed: `sqlx::migrate!` embeds the folder at compile time, and
//! cargo does not see its files.

fn main() {
    println!("cargo:rerun-if-changed=../migrations/write");
}
