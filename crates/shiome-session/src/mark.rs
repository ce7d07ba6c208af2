/// A mark on what waits to be sent: reached when so much waits, and left again when a quarter of it is free.
#[derive(Debug)]
pub(crate) struct Mark {
    limit: usize,
    reached: bool,
}

impl Mark {
    pub(crate) fn at(limit: usize) -> Self {
        let reached = false;
        Self { limit, reached }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    pub(crate) fn is_reached(&self) -> bool {
        self.reached
    }

    /// So much waits now, after something was added.
    pub(crate) fn rose(&mut self, queued: usize) {
        self.reached |= queued >= self.limit;
    }

    /// So much waits now, after something has left.
    pub(crate) fn fell(&mut self, queued: usize) {
        self.reached &= queued >= self.limit / 4 * 3;
    }

    /// Nothing waits any more.
    pub(crate) fn clear(&mut self) {
        self.reached = false;
    }
}
