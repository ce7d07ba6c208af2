//! The nodes that meet, `tests/peers`, and what is done to them: for the tasks that check and that measure.

pub(crate) mod authority;
pub(crate) mod figures;
pub(crate) mod frozen;
pub(crate) mod half_open;
pub(crate) mod node;
pub(crate) mod programs;
pub(crate) mod proxy;
pub(crate) mod stage;
pub(crate) mod way;
pub(crate) mod wire;
