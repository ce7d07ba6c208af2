//! What many measurements come to, and what they should come to.

/// What a figure should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
    /// As many as there were tried.
    All,
}

impl Goal {
    /// Whether it is reached by a value, out of so many. What never came does not reach it.
    pub(crate) fn holds(self, value: Option<f64>, of: Option<f64>) -> bool {
        value.is_some_and(|value| match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
            Self::All => Some(value) == of,
        })
    }

    /// The number that is the goal.
    pub(crate) fn number(self, of: Option<f64>) -> Option<f64> {
        match self {
            Self::AtLeast(number) | Self::AtMost(number) => Some(number),
            Self::All => of,
        }
    }

    pub(crate) fn told(self) -> String {
        match self {
            Self::AtLeast(least) => format!(">= {}", told(least)),
            Self::AtMost(most) => format!("<= {}", told(most)),
            Self::All => "all".to_owned(),
        }
    }
}

/// The value that `percent` of the others do not exceed (nearest rank), or `None` of nothing.
pub(crate) fn percentile(values: &[f64], percent: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

/// The value in the middle, or `None` of nothing.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    percentile(values, 50.0)
}

/// The greatest, or `None` of nothing.
pub(crate) fn max(values: &[f64]) -> Option<f64> {
    percentile(values, 100.0)
}

/// Prints rows of cells below each other.
pub(crate) fn print_table<const N: usize>(lines: &[[String; N]]) {
    let width = |column: usize| lines.iter().map(|l| l[column].chars().count()).max();
    let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or(0));
    println!();
    for line in lines {
        let cells = line.iter().zip(widths);
        let cells = cells.map(|(cell, width)| format!("{cell:width$}"));
        println!("{}", Vec::from_iter(cells).join("  ").trim_end());
    }
    println!();
}

/// `value` with as many places as a reader has use for.
pub(crate) fn told(value: f64) -> String {
    if value.fract() == 0.0 || value.abs() >= 100.0 {
        format!("{value:.0}")
    } else if value.abs() >= 10.0 {
        format!("{value:.1}")
    } else if value.abs() >= 0.1 {
        format!("{value:.2}")
    } else {
        format!("{value:.4}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values: Vec<_> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(median(&values), Some(100.0));
        assert_eq!(percentile(&values, 99.0), Some(198.0));
        assert_eq!(max(&values), Some(200.0));
        assert_eq!(percentile(&values, 0.0), Some(1.0));
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(percentile(&[], 50.0), None);
    }

    #[test]
    fn goals_are_met_or_not() {
        assert!(Goal::All.holds(Some(3.0), Some(3.0)));
        assert!(!Goal::All.holds(Some(2.0), Some(3.0)));
        assert!(Goal::AtMost(5.0).holds(Some(5.0), None));
        assert!(!Goal::AtMost(5.0).holds(Some(5.1), None));
        assert!(Goal::AtLeast(1.0).holds(Some(1.0), None));
        assert!(!Goal::AtLeast(1.0).holds(Some(0.0), None));
        assert!(!Goal::AtMost(5.0).holds(None, None));
    }

    #[test]
    fn few_places_are_told() {
        assert_eq!(told(40.0), "40");
        assert_eq!(told(0.123), "0.12");
        assert_eq!(told(0.00123), "0.0012");
        assert_eq!(told(12.34), "12.3");
        assert_eq!(told(512.6), "513");
    }
}
