use core::iter::FusedIterator;

use super::update::Update;
use crate::{error::DecodeError, reader::Reader};

/// The updates that end a datagram, decoded as they are iterated over.
#[derive(Debug, Clone, Copy)]
pub struct Updates<'a> {
    updates: Reader<'a>,
}

impl<'a> Updates<'a> {
    /// Takes all that is left.
    #[inline(always)]
    pub(super) fn new(updates: Reader<'a>) -> Self {
        Self { updates }
    }

    /// Whether there is not a single one, be it to be skipped or broken.
    pub fn is_empty(&self) -> bool {
        self.updates.rest().is_empty()
    }

    /// Decodes the updates in the order of the wire. After an error come no more.
    #[inline]
    pub fn iter(&self) -> UpdatesIter<'a> {
        UpdatesIter {
            updates: self.updates,
            failed: false,
        }
    }
}

impl<'a> IntoIterator for Updates<'a> {
    type Item = Result<Update<'a>, DecodeError>;
    type IntoIter = UpdatesIter<'a>;

    #[inline]
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Iterator over [`Updates`].
#[derive(Debug, Clone)]
pub struct UpdatesIter<'a> {
    updates: Reader<'a>,
    failed: bool,
}

impl<'a> Iterator for UpdatesIter<'a> {
    type Item = Result<Update<'a>, DecodeError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed && !self.updates.rest().is_empty() {
            match Update::read(&mut self.updates) {
                Ok(Some(update)) => return Some(Ok(update)),
                Ok(None) => {}
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

impl FusedIterator for UpdatesIter<'_> {}
