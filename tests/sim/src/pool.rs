//! The bytes of the datagrams under way.

/// Longest datagram that an engine may send, in bytes.
pub const MAX_DATAGRAM_LEN: usize = 1_400;

/// Slots that are used over and over, the last one given back first because it is still in the cache.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    bytes: Vec<u8>,
    labels: Vec<Label>,
    free: Vec<u32>,
}

/// What stands on a datagram.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Label {
    pub(crate) from: u32,
    pub(crate) len: u32,
}

impl Pool {
    /// A slot to write a datagram to.
    #[inline]
    pub(crate) fn take(&mut self) -> u32 {
        if let Some(slot) = self.free.pop() {
            return slot;
        }
        let slot = self.labels.len();
        self.labels.push(Label::default());
        self.bytes.resize((slot + 1) * MAX_DATAGRAM_LEN, 0);
        slot as u32
    }

    /// The room of a slot.
    #[inline]
    pub(crate) fn room(&mut self, slot: u32) -> &mut [u8] {
        let begin = slot as usize * MAX_DATAGRAM_LEN;
        &mut self.bytes[begin..begin + MAX_DATAGRAM_LEN]
    }

    #[inline]
    pub(crate) fn label(&self, slot: u32) -> Label {
        self.labels[slot as usize]
    }

    #[inline]
    pub(crate) fn set_label(&mut self, slot: u32, label: Label) {
        self.labels[slot as usize] = label;
    }

    /// Copies a datagram out, so that its slot can be used while it is read.
    #[inline]
    pub(crate) fn copy(&self, slot: u32, to: &mut Vec<u8>) {
        let begin = slot as usize * MAX_DATAGRAM_LEN;
        let len = self.label(slot).len as usize;
        to.clear();
        to.extend_from_slice(&self.bytes[begin..begin + len]);
    }

    #[inline]
    pub(crate) fn give_back(&mut self, slot: u32) {
        self.free.push(slot);
    }
}
