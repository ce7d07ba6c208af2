//! What nodes of this family tell each other behind a message, where all others stop reading.
//!
//! | offset | bytes | field                                            |
//! |--------|-------|--------------------------------------------------|
//! | 0      | 2     | magic, u16: 0x6873, so that the bytes read `sh`  |
//! | 2      | 1     | version: 1                                       |
//! | 3      | 2     | length of what follows, u16                      |
//! | 5      |       | fields, one after the other                      |
//!
//! | offset | bytes  | part of a field      |
//! |--------|--------|----------------------|
//! | 0      | 1      | tag                  |
//! | 1      | 1      | length of the value  |
//! | 2      | length | value                |
//!
//! | tag | field         | value                                    | length | how often |
//! |-----|---------------|------------------------------------------|--------|-----------|
//! | 1   | Capabilities  | bits, u64                                | 8      | once      |
//! | 2   | ClusterId     | hash of the cluster's name, u64          | 8      | once      |
//! | 3   | Incarnation   | the sender's incarnation, u64            | 8      | once      |
//! | 4   | Suspector     | index of an update, u16 · node           | 18     | any       |
//! | 5   | LocalHealth   | multiplier, u8                           | 1      | once      |
//! | 6   | Nack          |                                          | 0      | once      |
//! | 7   | Digest        | number of members, u32 · hash, u64       | 12     | once      |
//! | 8   | Address       | the sender's address                     | 7 / 19 | once      |
//!
//! A field of an unknown tag is skipped, so fields can be added without asking anybody. A field that must not be
//! skipped needs another version: a block of a version that is not known is skipped as a whole, by its length. Of a
//! field that stands once, a reader takes the first. Bytes behind the block are ignored, as they are behind a message.
//! In an authenticated cluster the block is part of what the tag covers.

mod field;
mod packer;

use crate::{error::DecodeError, reader::Reader};

pub use field::{Capabilities, Field};
pub use packer::ExtensionPacker;

/// What an extension starts with.
pub const EXTENSION_MAGIC: u16 = u16::from_le_bytes(*b"sh");

/// The version of the layout.
pub const EXTENSION_VERSION: u8 = 1;

/// Length of an extension without fields, in bytes.
pub const EXTENSION_HEADER_LEN: usize = 5;

/// The block of fields that follows a message.
#[derive(Debug, Clone, Copy)]
pub struct Extension<'a> {
    fields: Reader<'a>,
}

impl<'a> Extension<'a> {
    /// Reads the block that `trailing` starts with, if it is one of a version that is known.
    pub(crate) fn read(mut trailing: Reader<'a>) -> Result<Option<Self>, DecodeError> {
        if trailing.u16().is_ok_and(|magic| magic == EXTENSION_MAGIC)
            && trailing.u8()? == EXTENSION_VERSION
        {
            let len = trailing.u16()?;
            let fields = trailing.part(len.into())?;
            return Ok(Some(Self { fields }));
        }
        Ok(None)
    }

    /// Decodes the known fields in the order of the wire. After an error come no more.
    pub fn iter(&self) -> FieldIter<'a> {
        FieldIter {
            fields: self.fields,
            failed: false,
        }
    }
}

impl<'a> IntoIterator for Extension<'a> {
    type Item = Result<Field, DecodeError>;
    type IntoIter = FieldIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Iterator over the known fields of an [`Extension`].
#[derive(Debug, Clone)]
pub struct FieldIter<'a> {
    fields: Reader<'a>,
    failed: bool,
}

impl Iterator for FieldIter<'_> {
    type Item = Result<Field, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed && !self.fields.rest().is_empty() {
            let field = Field::read(&mut self.fields);
            self.failed = field.is_err();
            if let Some(field) = field.transpose() {
                return Some(field);
            }
        }
        None
    }
}

impl core::iter::FusedIterator for FieldIter<'_> {}

#[cfg(test)]
mod tests;
