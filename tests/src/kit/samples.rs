//! The metrics of a service, as a test asks for them.

use std::collections::BTreeMap;

/// A line of `/metrics`.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// Every sample of Prometheus' text format, without timestamps.
pub fn samples(text: &str) -> Vec<Sample> {
    let lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(sample).collect()
}

/// The sum of a metric over the samples that have these labels.
pub fn sum(samples: &[Sample], name: &str, labels: &[(&str, &str)]) -> f64 {
    let has = |sample: &&Sample| {
        let is =
            |(label, value): &(&str, &str)| sample.labels.get(*label).is_some_and(|it| it == value);
        sample.name == name && labels.iter().all(is)
    };
    samples.iter().filter(has).map(|sample| sample.value).sum()
}

fn sample(line: &str) -> Sample {
    let (key, value) = line.rsplit_once(' ').expect("a value");
    let (name, labels) = key.split_once('{').unwrap_or((key, ""));
    let pairs = labels.trim_end_matches("\"}").split("\",");
    let pairs = pairs.filter_map(|pair| pair.split_once("=\""));
    Sample {
        name: name.to_owned(),
        labels: pairs
            .map(|(label, value)| (label.to_owned(), value.to_owned()))
            .collect(),
        value: value.parse().expect("a number"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_with_their_labels() {
        let text = "# TYPE a counter\na{x=\"1\",y=\"{z}\"} 2\na{x=\"2\"} 3\nb 0.5\n";
        let samples = samples(text);
        assert_eq!(samples.len(), 3);
        assert!((sum(&samples, "a", &[]) - 5.0).abs() < 1e-9);
        assert!((sum(&samples, "a", &[("x", "1"), ("y", "{z}")]) - 2.0).abs() < 1e-9);
        assert!((sum(&samples, "b", &[]) - 0.5).abs() < 1e-9);
    }
}
