use crate::{
    config::{MIN_WINDOW, WINDOW},
    error::SessionError,
};

/// What this side has granted the peer, and what it grants again once the owner has taken what came.
///
/// Nobody waits for ever that the owner does not hold. While it takes everything, less than `grant_at` is kept back, so the
/// peer has more than [`least_left`](Self::least_left), which is [`MIN_WINDOW`] or more: room for any frame of bulk.
#[derive(Debug)]
pub(crate) struct Window {
    size: u64,
    /// What has to be taken before it is worth a message.
    grant_at: u64,
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
            grant_at: Self::kept_back(size),
            available: size,
            returned: 0,
            held: false,
        }
    }

    /// The window of a link, which grants twice as early as others.
    ///
    /// What is kept back is no use to the peer, and it is nearly `grant_at` all the time: messages do not
    /// end where a part of the window does. At half of the window no more than half of it would be on its way in a round
    /// trip, however fast everything is taken; at a quarter it is three.
    pub(crate) fn of_link(size: u64) -> Self {
        Self {
            grant_at: Self::kept_back(size) / 2,
            ..Self::new(size)
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
        if self.held || self.returned == 0 || self.returned < self.grant_at {
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

    /// What may be sent at a time into a window of that size, sooner or later: a node may keep back so much.
    pub(crate) fn least_left(size: u64) -> u64 {
        size - Self::kept_back(size)
    }

    fn kept_back(size: u64) -> u64 {
        (size / 2).min(size.saturating_sub(MIN_WINDOW))
    }

    #[cfg(test)]
    pub(crate) fn check_invariants(&self, not_taken: u64) {
        assert_eq!(self.available + self.returned + not_taken, self.size);
        assert!(self.held || self.returned == 0 || self.returned < self.grant_at);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What a peer sends in a round trip, over many, if it sends what it may and all is taken as it comes.
    fn sent_in_a_round_trip(size: u64, cost: u64) -> u64 {
        let mut window = Window::of_link(size);
        let (mut granted, mut sent, trips) = (size, 0, 100);
        for _ in 0..trips {
            let messages = granted / cost;
            granted %= cost;
            for _ in 0..messages {
                window.take(cost).unwrap();
                granted += window.give_back(cost).unwrap_or_default();
                window.check_invariants(0);
            }
            sent += messages * cost;
        }
        sent / trips
    }

    #[test]
    fn most_of_the_window_is_on_its_way_in_each_round_trip_whatever_the_length_of_messages() {
        for cost in [64, 275, 4111, 65_536] {
            let sent = sent_in_a_round_trip(WINDOW, cost);
            assert!(sent > WINDOW / 4 * 3 - cost, "{sent} in messages of {cost}");
        }
    }

    #[test]
    fn the_least_window_is_granted_message_by_message() {
        let mut window = Window::of_link(MIN_WINDOW);
        window.take(MIN_WINDOW).unwrap();
        assert_eq!(window.give_back(64), Some(64));
        assert_eq!(window.give_back(MIN_WINDOW - 64), Some(MIN_WINDOW - 64));
    }

    #[test]
    fn grants_are_a_few_a_window() {
        let mut window = Window::of_link(WINDOW);
        let grants = (0..WINDOW / 64).filter(|_| {
            window.take(64).unwrap();
            window.give_back(64).is_some()
        });
        assert_eq!(grants.count(), 4);
    }
}
