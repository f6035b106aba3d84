pub mod batches;
pub mod database;
pub mod old;
pub mod program;
pub mod rebuilding;
pub mod running;
pub mod stream;
pub mod world;

/// The value of a metric of this process, which all tests share; 0 if it was never set.
pub fn metric(name: &str, label: &str) -> f64 {
    let label = format!("=\"{label}\"");
    feedmill_service::telemetry::metrics()
        .render()
        .lines()
        .filter(|line| line.starts_with(&format!("{name}{{")) && line.contains(&label))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}
