use core::marker::PhantomData;

use crate::{
    error::EncodeError,
    limits::MAX_LIST_ITEMS,
    list::{List, ListItem, Wire},
    writer::Writer,
};

/// Writes a message that ends in a list, with as many items as there is room for.
///
/// The length of the buffer is the budget. The count on the wire is the number of items that were packed, whatever
/// was offered. `T` names what the list is of; what is packed may borrow anything that lives for the call.
#[derive(Debug)]
pub struct Packer<'b, T> {
    out: Writer<'b>,
    count_at: usize,
    items: u16,
    item: PhantomData<T>,
}

/// How much of what was offered went into a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packed<T> {
    /// Number of items packed.
    pub items: usize,
    /// The first item that was not packed, and why. Those after it were not asked for. `None`: all went in.
    pub refused: Option<(T, EncodeError)>,
}

impl<'b, T> Packer<'b, T> {
    /// Goes on after a message's head.
    #[inline]
    pub(crate) fn new(mut out: Writer<'b>) -> Result<Self, EncodeError> {
        let count_at = out.len();
        out.u16(0)?;
        Ok(Self {
            out,
            count_at,
            items: 0,
            item: PhantomData,
        })
    }

    /// Number of items packed so far.
    #[inline]
    pub fn items(&self) -> usize {
        self.items.into()
    }

    /// Length of the datagram so far, in bytes.
    pub fn datagram_len(&self) -> usize {
        self.out.len()
    }

    /// Bytes that are left for items.
    pub fn room(&self) -> usize {
        self.out.room()
    }

    /// Ends the message and returns its length, in bytes.
    #[inline]
    pub fn finish(mut self) -> usize {
        self.out.patch_u16(self.count_at, self.items);
        self.out.len()
    }
}

impl<T: ListItem<'static>> Packer<'_, T> {
    /// Packs one item.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] when it does not go in. The datagram is as it was before, and another item may still fit.
    #[inline]
    pub fn push(&mut self, item: &T::At<'_>) -> Result<(), EncodeError> {
        if self.items() >= MAX_LIST_ITEMS {
            return Err(EncodeError::ListFull);
        }
        self.out.whole(|out| item.write(out))?;
        self.items += 1;
        Ok(())
    }

    /// Packs items in their order until one does not go in.
    #[inline]
    pub fn pack<'a>(&mut self, items: impl IntoIterator<Item = T::At<'a>>) -> Packed<T::At<'a>> {
        let before = self.items();
        for item in items {
            if let Err(error) = self.push(&item) {
                let items = self.items() - before;
                let refused = Some((item, error));
                return Packed { items, refused };
            }
        }
        Packed {
            items: self.items() - before,
            refused: None,
        }
    }

    /// Packs the items of a list that was received, as far as it decodes.
    pub fn relay<'a>(&mut self, list: &List<'a, T::At<'a>>) -> Packed<T::At<'a>> {
        self.pack(list.iter().map_while(Result::ok))
    }
}
