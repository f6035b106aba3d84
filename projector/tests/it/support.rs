pub mod batches;
pub mod database;
pub mod model;
pub mod nats;
pub mod old;
#[path = "../../../tests/src/harness/port.rs"]
pub mod port;
pub mod process;
pub mod proxy;
pub mod rebuilding;
pub mod running;
pub mod world;

/// A setting of the tests. Panics if it is missing, since a skipped test would pass unnoticed.
#[expect(clippy::disallowed_methods, reason = "tests have no command line")]
pub fn setting(name: &str, what: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} must name {what}"))
}

/// The value of a metric of this process, which all tests share; 0 if it was never set.
pub fn metric(name: &str, projection: &str) -> f64 {
    let label = format!("projection=\"{projection}\"");
    feedmill_service::telemetry::metrics()
        .render()
        .lines()
        .filter(|line| line.starts_with(&format!("{name}{{")) && line.contains(&label))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}
