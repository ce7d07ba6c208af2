//! What scenarios measure, and its statistics over many seeds.

/// Something that a scenario measures.
#[derive(Debug, PartialEq, Eq)]
pub struct Metric {
    /// What it is called.
    pub name: &'static str,
    /// In what it is measured.
    pub unit: &'static str,
    /// What is told of many values.
    pub summary: Summary,
}

/// What is told of the values of many plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Summary {
    /// Median, 99th percentile and largest.
    Spread,
    /// Mean.
    Mean,
    /// Sum over the games of a set, mean over the seeds.
    Total,
    /// Largest.
    Worst,
    /// Smallest.
    Least,
}

/// What came out of one play of one game.
#[derive(Debug, Clone, Default)]
pub struct Score {
    /// What was measured. A time that never came is infinite.
    pub values: Vec<(&'static Metric, f64)>,
    /// How something grew: seconds and share.
    pub curve: Vec<(f64, f64)>,
    /// Fingerprint of the play, if it can be repeated.
    pub fingerprint: Option<u64>,
}

impl Score {
    /// Adds a value.
    pub fn set(&mut self, metric: &'static Metric, value: f64) {
        self.values.push((metric, value));
    }

    /// The value of a metric, if it was measured.
    pub fn get(&self, metric: &Metric) -> Option<f64> {
        let found = self.values.iter().find(|(other, _)| *other == metric);
        found.map(|(_, value)| *value)
    }
}

/// A number that sums up the values of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// Which: `median`, `p99`, `max`, `mean`, `total`, `min`.
    pub statistic: &'static str,
    /// The number.
    pub value: f64,
}

impl Metric {
    /// Sums up the values of all plays over `seeds` seeds.
    pub fn figures(&self, values: &[f64], seeds: usize) -> Vec<Figure> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let figure = |statistic, value| Figure { statistic, value };
        if sorted.is_empty() {
            return Vec::new();
        }
        let sum: f64 = sorted.iter().sum();
        match self.summary {
            Summary::Spread => vec![
                figure("median", quantile(&sorted, 0.5)),
                figure("p99", quantile(&sorted, 0.99)),
                figure("max", quantile(&sorted, 1.0)),
            ],
            Summary::Mean => vec![figure("mean", sum / sorted.len() as f64)],
            Summary::Total => vec![figure("total", sum / seeds.max(1) as f64)],
            Summary::Worst => vec![figure("max", quantile(&sorted, 1.0))],
            Summary::Least => vec![figure("min", quantile(&sorted, 0.0))],
        }
    }
}

/// The smallest of `sorted` that is not below the given share of them.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_occurred() {
        let sorted = [1.0, 2.0, 3.0, 4.0];
        let at = |share| quantile(&sorted, share);
        assert_eq!(
            [at(0.0), at(0.5), at(0.51), at(0.99), at(1.0)],
            [1.0, 2.0, 3.0, 4.0, 4.0]
        );
    }

    #[test]
    fn a_time_that_never_came_is_above_all_others() {
        const TIME: Metric = Metric {
            name: "time",
            unit: "s",
            summary: Summary::Spread,
        };
        let figures = TIME.figures(&[f64::INFINITY, 1.0, 2.0], 3);
        assert_eq!(figures[0].value, 2.0);
        assert_eq!(figures[2].value, f64::INFINITY);
    }
}
