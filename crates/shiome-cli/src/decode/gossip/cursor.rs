use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use shiome_gossip::{DecodeErrorKind, NodeId, compact::Handle};

use crate::decode::field::{Field, Problem, Value};

/// What is left of a datagram.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
    end: usize,
}

/// A list of fields that are read one after the other.
///
/// Each method reads a field, adds it to the list, and returns its value. A method's error is that of the codec, at the
/// same byte.
pub(super) struct Part<'c, 'a, 'o> {
    pub(super) cursor: &'c mut Cursor<'a>,
    pub(super) out: &'o mut Vec<Field>,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(datagram: &'a [u8]) -> Self {
        Self {
            rest: datagram,
            end: datagram.len(),
        }
    }

    pub(super) fn offset(&self) -> usize {
        self.end - self.rest.len()
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn peek(&self, len: usize) -> Option<&'a [u8]> {
        self.rest.get(..len)
    }

    pub(super) fn problem(&self, kind: DecodeErrorKind) -> Problem {
        Problem::new(self.offset(), kind.to_string())
    }

    pub(super) fn bytes(&mut self, len: usize) -> Result<&'a [u8], Problem> {
        let Some((head, rest)) = self.rest.split_at_checked(len) else {
            return Err(self.problem(DecodeErrorKind::Truncated));
        };
        self.rest = rest;
        Ok(head)
    }

    /// The next `len` bytes as a cursor of their own.
    pub(super) fn part(&mut self, len: usize) -> Result<Self, Problem> {
        let rest = self.bytes(len)?;
        Ok(Self {
            rest,
            end: self.offset(),
        })
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Problem> {
        let Some((head, rest)) = self.rest.split_first_chunk() else {
            return Err(self.problem(DecodeErrorKind::Truncated));
        };
        self.rest = rest;
        Ok(*head)
    }
}

impl<'a> Part<'_, 'a, '_> {
    fn add(&mut self, start: usize, name: &'static str, kind: &'static str, value: Value) {
        let len = self.cursor.offset() - start;
        self.out.push(Field::leaf(start, len, name, kind, value));
    }

    /// Says more about the field that was read last.
    pub(super) fn word(&mut self, word: impl Into<String>) {
        if let Some(last) = self.out.last_mut() {
            last.word = Some(word.into());
        }
    }

    pub(super) fn meaning(&mut self, meaning: &'static str) {
        if let Some(last) = self.out.last_mut() {
            last.meaning = meaning;
        }
    }

    pub(super) fn u8(&mut self, name: &'static str) -> Result<u8, Problem> {
        let start = self.cursor.offset();
        let [value] = self.cursor.array()?;
        self.add(start, name, "u8", Value::Unsigned(value.into()));
        Ok(value)
    }

    pub(super) fn u16(&mut self, name: &'static str) -> Result<u16, Problem> {
        let start = self.cursor.offset();
        let value = u16::from_le_bytes(self.cursor.array()?);
        self.add(start, name, "u16", Value::Unsigned(value.into()));
        Ok(value)
    }

    pub(super) fn u32(&mut self, name: &'static str) -> Result<u32, Problem> {
        let start = self.cursor.offset();
        let value = u32::from_le_bytes(self.cursor.array()?);
        self.add(start, name, "u32", Value::Unsigned(value.into()));
        Ok(value)
    }

    pub(super) fn u64(&mut self, name: &'static str) -> Result<u64, Problem> {
        let start = self.cursor.offset();
        let value = u64::from_le_bytes(self.cursor.array()?);
        self.add(start, name, "u64", Value::Unsigned(value));
        Ok(value)
    }

    pub(super) fn varint(&mut self, name: &'static str) -> Result<u64, Problem> {
        /// Of a u64, at 7 bits a byte.
        const MAX_LEN: usize = 10;
        let (start, before) = (self.cursor.offset(), *self.cursor);
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7).take(MAX_LEN) {
            let Ok([byte]) = self.cursor.array() else {
                return Err(before.problem(DecodeErrorKind::Truncated));
            };
            let bits = u64::from(byte & 0x7f);
            if bits > u64::MAX >> shift {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                self.add(start, name, "varint", Value::Unsigned(value));
                return Ok(value);
            }
        }
        Err(before.problem(DecodeErrorKind::InvalidVarint))
    }

    pub(super) fn bool(&mut self, name: &'static str) -> Result<bool, Problem> {
        let start = self.cursor.offset();
        let [value] = self.cursor.array()?;
        self.add(start, name, "bool", Value::Bool(value != 0));
        Ok(value != 0)
    }

    pub(super) fn node(&mut self, name: &'static str) -> Result<NodeId, Problem> {
        let start = self.cursor.offset();
        let id = NodeId::from(self.cursor.array::<{ NodeId::LEN }>()?);
        self.add(start, name, "node", Value::Text(id.to_string()));
        self.word(format!("handle {}", Handle::of(&id)));
        Ok(id)
    }

    pub(super) fn handle(&mut self, name: &'static str) -> Result<Handle, Problem> {
        let start = self.cursor.offset();
        let handle = Handle::from_bits(u32::from_le_bytes(self.cursor.array()?));
        self.add(start, name, "handle", Value::Text(handle.to_string()));
        Ok(handle)
    }

    /// An address that starts with its family.
    pub(super) fn address(&mut self, name: &'static str) -> Result<(), Problem> {
        let (start, before) = (self.cursor.offset(), *self.cursor);
        let [family] = self.cursor.array()?;
        let address = match family {
            4 => self.ipv4()?,
            6 => self.ipv6()?,
            other => return Err(before.problem(DecodeErrorKind::UnknownAddressFamily(other))),
        };
        self.add(start, name, "address", Value::Text(address.to_string()));
        Ok(())
    }

    /// An address of a family that is known from elsewhere.
    pub(super) fn bare_address(&mut self, name: &'static str, is_v6: bool) -> Result<(), Problem> {
        let start = self.cursor.offset();
        let address = if is_v6 { self.ipv6()? } else { self.ipv4()? };
        self.add(start, name, "address", Value::Text(address.to_string()));
        Ok(())
    }

    fn ipv4(&mut self) -> Result<SocketAddr, Problem> {
        let ip = Ipv4Addr::from(self.cursor.array::<4>()?);
        Ok((ip, u16::from_le_bytes(self.cursor.array()?)).into())
    }

    fn ipv6(&mut self) -> Result<SocketAddr, Problem> {
        let ip = Ipv6Addr::from(self.cursor.array::<16>()?);
        Ok((ip, u16::from_le_bytes(self.cursor.array()?)).into())
    }

    /// The count of a list whose items have `min_item_len` bytes or more.
    pub(super) fn count(
        &mut self,
        name: &'static str,
        min_item_len: usize,
    ) -> Result<u16, Problem> {
        let before = *self.cursor;
        let count = self.u16(name)?;
        if usize::from(count) * min_item_len > self.cursor.rest.len() {
            self.out.pop();
            return Err(before.problem(DecodeErrorKind::CountTooLarge(count)));
        }
        Ok(count)
    }

    pub(super) fn raw(&mut self, name: &'static str, len: usize) -> Result<&'a [u8], Problem> {
        let start = self.cursor.offset();
        let bytes = self.cursor.bytes(len)?;
        self.add(start, name, "bytes", Value::Bytes(bytes.to_vec()));
        Ok(bytes)
    }

    /// Reads parts of a field that is the sum of them. What was read before an error is shown.
    pub(super) fn group(
        &mut self,
        name: &'static str,
        kind: &'static str,
        read: impl FnOnce(&mut Part<'_, 'a, '_>) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let mut field = Field::group(self.cursor.offset(), name, kind);
        let result = read(&mut Part {
            cursor: &mut *self.cursor,
            out: &mut field.fields,
        });
        field.len = self.cursor.offset() - field.offset;
        if result.is_ok() || !field.fields.is_empty() {
            self.out.push(field);
        }
        result
    }
}
