use shiome_wire::node::Cast;

use crate::config::FRAGMENT_THRESHOLD;

/// What a cast counts as with those whose senders wait for their turn: short ones do not wait for long ones, which are
/// under way for long, and give way to them at each piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "what is kept for each is indexed")]
pub enum Length {
    /// The contents are no longer than [`FRAGMENT_THRESHOLD`].
    Short,
    /// They are longer.
    Long,
}

impl Length {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Short, Self::Long];

    /// That of a cast. Its metadata makes no difference.
    pub fn of(cast: &Cast) -> Self {
        if cast.what.len() > FRAGMENT_THRESHOLD {
            Self::Long
        } else {
            Self::Short
        }
    }
}
