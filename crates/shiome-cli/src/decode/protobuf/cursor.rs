use crate::decode::field::Problem;

/// How a field stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    Varint,
    Fixed64,
    Len,
    Group,
    EndGroup,
    Fixed32,
}

impl Wire {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Varint => "varint",
            Self::Fixed64 => "64-bit",
            Self::Len => "length-delimited",
            Self::Group => "group",
            Self::EndGroup => "end of group",
            Self::Fixed32 => "32-bit",
        }
    }
}

/// What is left of a message, and where it ends in the stream.
pub(super) struct Cursor<'a> {
    pub(super) rest: &'a [u8],
    pub(super) end: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn offset(&self) -> usize {
        self.end - self.rest.len()
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], Problem> {
        let Some((head, rest)) = self.rest.split_at_checked(len) else {
            let there = self.rest.len();
            let reason = format!("field cut short: {len} bytes announced, {there} are there");
            return Err(Problem::new(self.offset(), reason));
        };
        self.rest = rest;
        Ok(head)
    }

    pub(super) fn varint(&mut self) -> Result<u64, Problem> {
        let start = self.offset();
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let Some((byte, rest)) = self.rest.split_first() else {
                return Err(Problem::new(start, "number cut short"));
            };
            self.rest = rest;
            let bits = u64::from(byte & 0x7f);
            if bits > u64::MAX >> shift {
                break;
            }
            value |= bits << shift;
            if *byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Problem::new(start, "number beyond 64 bits"))
    }

    pub(super) fn key(&mut self) -> Result<(u64, Wire), Problem> {
        let start = self.offset();
        let key = self.varint()?;
        let wire = match key & 7 {
            0 => Wire::Varint,
            1 => Wire::Fixed64,
            2 => Wire::Len,
            3 => Wire::Group,
            4 => Wire::EndGroup,
            5 => Wire::Fixed32,
            other => return Err(Problem::new(start, format!("no wire type {other}"))),
        };
        if key > u32::MAX.into() || key < 8 {
            return Err(Problem::new(start, format!("no field number {}", key >> 3)));
        }
        Ok((key >> 3, wire))
    }

    /// The content of a field that tells its length.
    pub(super) fn delimited(&mut self) -> Result<Self, Problem> {
        let start = self.offset();
        let len = self.varint()?;
        let Ok(len) = usize::try_from(len) else {
            return Err(Problem::new(start, "length beyond the address space"));
        };
        let rest = self.take(len)?;
        Ok(Self {
            rest,
            end: self.offset(),
        })
    }
}
