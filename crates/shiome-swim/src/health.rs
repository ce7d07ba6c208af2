/// How much a node doubts itself (Lifeguard §IV-A: the local health multiplier).
///
/// A node that is slow, or cut off, finds others failing. So what may be its own fault counts against itself first,
/// and gives all others more time.
#[derive(Debug)]
pub(crate) struct LocalHealth {
    multiplier: u8,
    max: u8,
}

impl LocalHealth {
    pub(crate) fn new(max: u8) -> Self {
        Self { multiplier: 0, max }
    }

    /// From 0, well, to the configured maximum.
    pub(crate) fn multiplier(&self) -> u8 {
        self.multiplier
    }

    /// A probe failed, a nack did not come, or somebody suspects this node.
    pub(crate) fn worsen(&mut self, by: usize) {
        let by = u8::try_from(by).unwrap_or(u8::MAX);
        self.multiplier = self.multiplier.saturating_add(by).min(self.max);
    }

    /// A probe went well.
    pub(crate) fn improve(&mut self) {
        self.multiplier = self.multiplier.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_stays_between_well_and_the_maximum() {
        let mut health = LocalHealth::new(3);
        health.improve();
        assert_eq!(health.multiplier(), 0);
        health.worsen(300);
        assert_eq!(health.multiplier(), 3);
        health.improve();
        assert_eq!(health.multiplier(), 2);
    }
}
