use super::Class;
use crate::Length;

/// Bytes of casts whose senders wait for their turn, by [`Length`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct InTurn([usize; 2]);

impl InTurn {
    /// So many bytes of a message, if it is such a cast.
    pub(super) fn of(class: Class, len: usize) -> Self {
        let mut lens = [0; 2];
        if let Class::Cast {
            turn: Some(length), ..
        } = class
        {
            lens[length as usize] = len;
        }
        Self(lens)
    }

    pub(super) fn len_of(self, length: Length) -> usize {
        self.0[length as usize]
    }
}

impl std::ops::AddAssign for InTurn {
    fn add_assign(&mut self, Self([short, long]): Self) {
        self.0[0] += short;
        self.0[1] += long;
    }
}

impl std::ops::SubAssign for InTurn {
    fn sub_assign(&mut self, Self([short, long]): Self) {
        self.0[0] -= short;
        self.0[1] -= long;
    }
}
