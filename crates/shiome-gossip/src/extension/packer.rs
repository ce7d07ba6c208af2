use super::{EXTENSION_HEADER_LEN, EXTENSION_MAGIC, EXTENSION_VERSION, Field};
use crate::{error::EncodeError, writer::Writer};

/// Writes an extension behind a message.
///
/// The buffer is what the message left of the datagram's budget. To keep room for an extension, give the message less:
/// [`EXTENSION_HEADER_LEN`] and [`Field::encoded_len`] tell how much.
#[derive(Debug)]
pub struct ExtensionPacker<'b> {
    out: Writer<'b>,
}

impl<'b> ExtensionPacker<'b> {
    /// Starts an extension at the start of `buf`. It takes no room until it has a field.
    pub fn new(buf: &'b mut [u8]) -> Self {
        Self {
            out: Writer::new(buf),
        }
    }

    /// Packs one field.
    ///
    /// # Errors
    ///
    /// [`EncodeError::NoRoom`] when it does not go in. The extension is as it was before, and another field may still
    /// fit.
    pub fn push(&mut self, field: &Field) -> Result<(), EncodeError> {
        self.out.whole(|out| {
            if out.len() == 0 {
                out.u16(EXTENSION_MAGIC)?;
                out.u8(EXTENSION_VERSION)?;
                out.u16(0)?;
            }
            field.write(out)
        })
    }

    /// Ends the extension and returns its length, in bytes: 0 when it has no field.
    pub fn finish(mut self) -> usize {
        if let Some(fields) = self.out.len().checked_sub(EXTENSION_HEADER_LEN) {
            // The writer takes no more than a datagram, the length of which a u16 can say.
            self.out.patch_u16(3, fields as u16);
        }
        self.out.len()
    }
}
