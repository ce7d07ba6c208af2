//! Protobuf fields, of the two kinds that the protocol needs here: numbers and lengths with bytes.

const VARINT: u64 = 0;
const LEN: u64 = 2;

/// Writes a number, also a zero.
pub(super) fn number(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3 | VARINT);
    varint(out, value);
}

pub(super) fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    varint(out, field << 3 | LEN);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// Writes a message within the message.
pub(super) fn message(out: &mut Vec<u8>, field: u64, write: impl FnOnce(&mut Vec<u8>)) {
    let mut inner = Vec::new();
    write(&mut inner);
    bytes(out, field, &inner);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// An encoded message. Fields of other kinds end the search.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Fields<'a> {
    pub(super) fn number(self, field: u64) -> Option<u64> {
        self.find(field, |value| match value {
            Value::Number(number) => Some(number),
            Value::Bytes(_) => None,
        })
    }

    pub(super) fn bytes(self, field: u64) -> Option<&'a [u8]> {
        self.find(field, |value| match value {
            Value::Bytes(bytes) => Some(bytes),
            Value::Number(_) => None,
        })
    }

    fn find<T>(mut self, field: u64, wanted: impl Fn(Value<'a>) -> Option<T>) -> Option<T> {
        while !self.0.is_empty() {
            let key = self.varint()?;
            let value = match key & 7 {
                VARINT => Value::Number(self.varint()?),
                LEN => {
                    let len = usize::try_from(self.varint()?).ok()?;
                    let (bytes, rest) = self.0.split_at_checked(len)?;
                    self.0 = rest;
                    Value::Bytes(bytes)
                }
                _ => return None,
            };
            if key >> 3 == field {
                return wanted(value);
            }
        }
        None
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_as_the_published_nodes_write() {
        let mut name = Vec::new();
        message(&mut name, 1, |auth| {
            message(auth, 1, |name| {
                bytes(name, 1, b"a@h");
                message(name, 2, |flags| number(flags, 1, 1));
                bytes(name, 3, b"h:1");
                number(name, 4, 7);
            });
        });
        assert_eq!(
            hex::encode(name),
            "0a120a100a03614068120208011a03683a312007"
        );
    }

    #[test]
    fn fields_are_found_or_not() {
        let mut out = Vec::new();
        number(&mut out, 1, u64::MAX);
        bytes(&mut out, 20, b"inner");
        assert_eq!(Fields(&out).number(1), Some(u64::MAX));
        assert_eq!(Fields(&out).bytes(20), Some(&b"inner"[..]));
        assert_eq!(Fields(&out).bytes(1), None);
        assert_eq!(Fields(&out).number(2), None);
        // Cut off.
        assert_eq!(Fields(&out[..out.len() - 1]).bytes(20), None);
        assert_eq!(Fields(&[0xff; 12]).number(1), None);
    }
}
