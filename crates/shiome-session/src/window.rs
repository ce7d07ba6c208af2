use crate::{
    config::{MIN_WINDOW, WINDOW},
    error::SessionError,
};

/// What this side has granted the peer, and what it grants again once the owner has taken what came.
///
/// Nobody waits for ever that the owner does not hold. While it takes everything, less than [`grant_at`](Self::grant_at) is kept back, so the
/// peer has more than [`least_left`](Self::least_left), which is [`MIN_WINDOW`] or more: room for any frame of bulk.
#[derive(Debug)]
pub(crate) struct Window {
    size: u64,
    /// What the peer may still send.
    available: u64,
    /// What the owner has taken and the peer has not been told of.
    returned: u64,
    /// Whether nothing is granted, whatever the owner takes.
    held: bool,
}

impl Window {
    pub(crate) fn new(size: u64) -> Self {
        Self {
            size,
            available: size,
            returned: 0,
            held: false,
        }
    }

    /// Something has come that takes `cost` of the window.
    pub(crate) fn take(&mut self, cost: u64) -> Result<(), SessionError> {
        let window = self.size;
        let left = self.available.checked_sub(cost);
        self.available = left.ok_or(SessionError::CreditExceeded { window })?;
        Ok(())
    }

    /// The owner has taken what cost so much; what to grant now, if it is worth a message.
    pub(crate) fn give_back(&mut self, cost: u64) -> Option<u64> {
        self.returned += cost;
        self.grant()
    }

    /// Grants nothing from now on, or as before. What to grant now.
    pub(crate) fn hold(&mut self, held: bool) -> Option<u64> {
        self.held = held;
        self.grant()
    }

    fn grant(&mut self) -> Option<u64> {
        if self.held || self.returned == 0 || self.returned < self.grant_at() {
            return None;
        }
        let granted = std::mem::take(&mut self.returned);
        self.available += granted;
        Some(granted)
    }

    /// What the peer may still send.
    pub(crate) fn available(&self) -> u64 {
        self.available
    }

    /// Whether the peer may have something to send and no credit for it.
    pub(crate) fn is_tight(&self) -> bool {
        self.held || self.available < MIN_WINDOW
    }

    fn grant_at(&self) -> u64 {
        Self::kept_back(self.size)
    }

    /// What may be sent at a time into a window of that size, sooner or later.
    pub(crate) fn least_left(size: u64) -> u64 {
        size - Self::kept_back(size)
    }

    fn kept_back(size: u64) -> u64 {
        (size / 2).min(size.saturating_sub(MIN_WINDOW))
    }

    #[cfg(test)]
    pub(crate) fn check_invariants(&self, not_taken: u64) {
        assert_eq!(self.available + self.returned + not_taken, self.size);
        assert!(self.held || self.returned == 0 || self.returned < self.grant_at());
        if not_taken == 0 && !self.held {
            assert!(self.available >= MIN_WINDOW);
        }
    }
}

impl Default for Window {
    fn default() -> Self {
        Self::new(WINDOW)
    }
}
