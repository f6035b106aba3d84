//! Reading metrics back: what `/metrics` says, as numbers for people. There is one source of each number, so what an operator
//! reads here is what Prometheus computes.

use std::collections::BTreeMap;

/// The labels of a sample, in order.
pub type Labels = BTreeMap<String, String>;

/// The metrics of this process at one instant.
#[derive(Debug, Default)]
pub struct Samples {
    values: BTreeMap<String, Vec<(Labels, f64)>>,
}

/// A histogram: the numbers of values up to each bound, in order of the bounds.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Histogram {
    buckets: Vec<(f64, f64)>,
    pub sum: f64,
    pub count: f64,
}

impl Samples {
    /// Of this process, now.
    pub fn now() -> Self {
        Self::parse(&super::metrics().render())
    }

    /// Reads Prometheus' text format as this program writes it: a sample on each line, without a timestamp.
    fn parse(text: &str) -> Self {
        let mut samples = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((key, value)) = line.rsplit_once(' ') else {
                continue;
            };
            let Ok(value) = value.parse() else {
                continue;
            };
            let (name, labels) = key.split_once('{').unwrap_or((key, ""));
            let values = samples.values.entry(name.to_owned()).or_default();
            values.push((parse_labels(labels.trim_end_matches('}')), value));
        }
        samples
    }

    /// The samples of a metric, by labels.
    pub fn of(&self, name: &str) -> &[(Labels, f64)] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }

    /// The sum of a metric over the samples with this label.
    pub fn sum(&self, name: &str, label: &str, value: &str) -> f64 {
        let samples = self.of(name).iter();
        let has = |labels: &Labels| labels.get(label).is_some_and(|of| of == value);
        samples
            .filter(|(labels, _)| has(labels))
            .map(|(_, value)| value)
            .sum()
    }

    /// The histograms of a metric, by labels.
    pub fn histograms(&self, name: &str) -> BTreeMap<Labels, Histogram> {
        let mut histograms: BTreeMap<Labels, Histogram> = BTreeMap::new();
        for (labels, count) in self.of(&format!("{name}_bucket")) {
            let mut labels = labels.clone();
            let bound = labels.remove("le").and_then(|bound| bound.parse().ok());
            if let Some(bound) = bound {
                let histogram = histograms.entry(labels).or_default();
                histogram.buckets.push((bound, *count));
            }
        }
        for (labels, sum) in self.of(&format!("{name}_sum")) {
            histograms.entry(labels.clone()).or_default().sum = *sum;
        }
        for (labels, count) in self.of(&format!("{name}_count")) {
            histograms.entry(labels.clone()).or_default().count = *count;
        }
        for histogram in histograms.values_mut() {
            histogram
                .buckets
                .sort_by(|(one, _), (other, _)| one.total_cmp(other));
        }
        histograms
    }
}

/// `a="b",c="d"`, without `}`.
fn parse_labels(text: &str) -> Labels {
    let mut labels = Labels::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once("=\"") {
        let mut value = String::new();
        let mut characters = after.char_indices();
        let end = loop {
            match characters.next() {
                None => break after.len(),
                Some((at, '"')) => break at + 1,
                Some((_, '\\')) => match characters.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, escaped)) => value.push(escaped),
                    None => {}
                },
                Some((_, character)) => value.push(character),
            }
        };
        labels.insert(name.trim_start_matches(',').to_owned(), value);
        rest = &after[end..];
    }
    labels
}

impl Histogram {
    /// The mean of all values; 0 without any.
    pub fn mean(&self) -> f64 {
        if self.count > 0.0 {
            self.sum / self.count
        } else {
            0.0
        }
    }

    /// The value that a share of all values does not exceed, linear within a bucket, as Prometheus' `histogram_quantile`. The
    /// last bound, if it is beyond that.
    pub fn quantile(&self, share: f64) -> f64 {
        let rank = share * self.count;
        let (mut from, mut below) = (0.0, 0.0);
        for (bound, count) in &self.buckets {
            if *count >= rank && *count > below {
                if bound.is_infinite() {
                    return from;
                }
                return from + (bound - from) * (rank - below) / (count - below);
            }
            if bound.is_finite() {
                from = *bound;
            }
            below = *count;
        }
        from
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"# HELP sql_seconds from the start
# TYPE sql_seconds histogram
sql_seconds_bucket{statement="feed.page",le="0.001"} 50
sql_seconds_bucket{statement="feed.page",le="0.01"} 90
sql_seconds_bucket{statement="feed.page",le="+Inf"} 100
sql_seconds_sum{statement="feed.page"} 1.5
sql_seconds_count{statement="feed.page"} 100
hits{cache="a",result="hit"} 3
hits{cache="a",result="miss"} 4
hits{cache="b",result="hit"} 5
odd{text="a \"b\", \\ c",of="x"} 1
open 7
"#;

    #[test]
    fn values_are_found_by_name_and_label() {
        let samples = Samples::parse(TEXT);
        let sum = |name, label, value| samples.sum(name, label, value) as i64;
        assert_eq!(sum("hits", "cache", "a"), 7);
        assert_eq!(sum("hits", "result", "hit"), 8);
        assert_eq!(sum("absent", "cache", "a"), 0);
        assert_eq!(samples.of("open"), [(Labels::new(), 7.0)]);
        let (labels, _) = &samples.of("odd")[0];
        assert_eq!(labels["text"], r#"a "b", \ c"#);
        assert_eq!(labels["of"], "x");
    }

    #[test]
    fn quantiles_are_linear_within_a_bucket() {
        let samples = Samples::parse(TEXT);
        let histograms = samples.histograms("sql_seconds");
        let (labels, histogram) = histograms.iter().next().unwrap();
        assert_eq!(labels["statement"], "feed.page");
        let near = |share: f64, expected: f64| {
            let found = histogram.quantile(share);
            assert!((found - expected).abs() < 1e-9, "{share}: {found}");
        };
        near(0.25, 0.000_5);
        near(0.5, 0.001);
        near(0.7, 0.005_5);
        near(0.9, 0.01);
        near(0.99, 0.01);
        assert!((histogram.mean() - 0.015).abs() < 1e-9);
        let empty = Histogram::default();
        assert!(empty.quantile(0.5) <= 0.0 && empty.mean() <= 0.0);
    }
}
