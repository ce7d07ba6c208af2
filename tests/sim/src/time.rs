//! Virtual time.

/// Nanoseconds since the origin of the simulation.
pub type Time = u64;

/// A microsecond.
pub const MICROSECOND: Time = 1_000;
/// A millisecond.
pub const MILLISECOND: Time = 1_000_000;
/// A second.
pub const SECOND: Time = 1_000_000_000;

/// When a simulation begins. Not 0, so that a node may have been born a little earlier.
pub const ORIGIN: Time = 16 * SECOND;

/// `seconds`, rounded to the nanosecond.
pub fn seconds(seconds: f64) -> Time {
    (seconds * SECOND as f64).round() as Time
}

/// `span` in seconds.
pub fn as_seconds(span: Time) -> f64 {
    span as f64 / SECOND as f64
}
