/// A direction of a chart.
#[derive(Debug, Clone)]
pub struct Axis {
    /// What it shows, with its unit.
    pub label: String,
    /// How values are spread over it.
    pub scale: Scale,
    /// The value at its begin. On a logarithmic axis it stands for 0 too, and is labelled so.
    pub from: f64,
    /// The value at its end.
    pub to: f64,
}

/// How values are spread over an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Evenly.
    Linear,
    /// Each tenfold the same way.
    Logarithmic,
}

/// Ticks that a linear axis should have, about.
const TICKS: f64 = 8.0;

impl Axis {
    /// How far along the axis a value is, from 0 to 1.
    pub(super) fn share(&self, value: f64) -> f64 {
        let value = value.clamp(self.from, self.to);
        let share = match self.scale {
            Scale::Linear => (value - self.from) / (self.to - self.from),
            Scale::Logarithmic => (value / self.from).ln() / (self.to / self.from).ln(),
        };
        if share.is_finite() { share } else { 0.0 }
    }

    /// Where the axis has marks, and what they say.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        match self.scale {
            Scale::Linear => self.linear_ticks(),
            Scale::Logarithmic => {
                let powers = (0..16).map(|power| 10_f64.powi(power));
                let inside = powers.filter(|power| *power > self.from && *power <= self.to);
                let marks = inside.map(|power| (power, thousands(power)));
                [(self.from, "0".to_owned())]
                    .into_iter()
                    .chain(marks)
                    .collect()
            }
        }
    }

    fn linear_ticks(&self) -> Vec<(f64, String)> {
        let rough = (self.to - self.from) / TICKS;
        let power = 10_f64.powf(rough.log10().floor());
        let nice = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
        let step = nice
            .into_iter()
            .find(|step| *step >= rough)
            .unwrap_or(power);
        let digits = usize::try_from(-step.log10().floor() as i64).unwrap_or(0);
        let first = (self.from / step).ceil() as i64;
        let last = (self.to / step + 1e-9).floor() as i64;
        (first..=last)
            .map(|i| (i as f64 * step, format!("{:.digits$}", i as f64 * step)))
            .collect()
    }
}

fn thousands(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{} M", value / 1e6),
        value if value >= 1e3 => format!("{} k", value / 1e3),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_numbers() {
        let axis = |scale, from, to| Axis {
            label: String::new(),
            scale,
            from,
            to,
        };
        let labels = |axis: Axis| Vec::from_iter(axis.ticks().into_iter().map(|(_, label)| label));
        assert_eq!(
            labels(axis(Scale::Linear, 0.0, 1.0)),
            ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(
            labels(axis(Scale::Logarithmic, 0.5, 2e4)),
            ["0", "1", "10", "100", "1 k", "10 k"]
        );
    }
}
