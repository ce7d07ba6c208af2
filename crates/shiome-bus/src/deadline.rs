//! Times that are waited until.

use std::time::Duration;

use tokio::time::Instant;

/// What a wait without end waits for: some thirty years, which every clock can name.
const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// The time that is `after` from now. [`Duration::MAX`] is never.
pub(crate) fn deadline(after: Duration) -> Instant {
    Instant::now() + after.min(FAR)
}
