use core::fmt;

/// Identity of a node: the 16 bytes of a UUID, in the order in which it is printed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId([u8; Self::LEN]);

impl NodeId {
    /// Length on the wire, in bytes.
    pub const LEN: usize = 16;

    /// The bytes as they stand on the wire.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl From<[u8; Self::LEN]> for NodeId {
    fn from(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }
}

impl From<NodeId> for [u8; NodeId::LEN] {
    fn from(id: NodeId) -> Self {
        id.0
    }
}

/// As a UUID: 32 hex digits in groups of 8, 4, 4, 4 and 12.
impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self})")
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn prints_as_a_uuid() {
        let id = NodeId::from(core::array::from_fn(|index| index as u8));
        assert_eq!(
            std::format!("{id} {id:?}"),
            "00010203-0405-0607-0809-0a0b0c0d0e0f NodeId(00010203-0405-0607-0809-0a0b0c0d0e0f)"
        );
    }
}
