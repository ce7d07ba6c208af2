//! Maps that are asked with each envelope.

/// With a random seed each, so that nobody can choose keys that meet.
pub(crate) type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::quality::RandomState>;
