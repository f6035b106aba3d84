//! Makes cargo compile this crate again when a migration is added: `sqlx::migrate!` includes the files that exist when it
//! is compiled, and cargo would notice only changes of those.

fn main() {
    println!("cargo::rerun-if-changed=../migrations/write");
}
