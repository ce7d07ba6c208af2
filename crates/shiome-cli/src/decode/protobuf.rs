//! Walks an encoded protobuf message along its schema, and reads and refuses what the decoder of the nodes does.

use super::{
    field::{Field, Problem, Value},
    schema::{Entry, FIRST_NATIVE, Kind, Schema},
};

mod cursor;

use cursor::{Cursor, Wire};

/// Most fields of one message that are shown: far more than anybody reads, and a bound on the memory that they take.
pub(super) const MAX_FIELDS: usize = 64 * 1024;

/// How deep messages and groups may stand in each other. Decoders have the same limit.
const MAX_DEPTH: u32 = 100;

/// What became of a message.
#[derive(Debug, Default)]
pub(super) struct Walk {
    pub(super) fields: Vec<Field>,
    /// What is wrong; the fields are those before it.
    pub(super) problem: Option<Problem>,
    /// Whether there are more than [`MAX_FIELDS`], and those after it were not looked at.
    pub(super) is_cut: bool,
}

/// Explains `message`, the first byte of which stands at `offset`.
pub(super) fn walk(schema: &'static Schema, message: &[u8], offset: usize) -> Walk {
    let mut walker = Walker { left: MAX_FIELDS };
    let mut fields = Vec::new();
    let cursor = Cursor {
        rest: message,
        end: offset + message.len(),
    };
    let result = walker.message(schema, cursor, MAX_DEPTH, &mut fields);
    Walk {
        fields,
        problem: result.err(),
        is_cut: walker.left == 0,
    }
}

struct Walker {
    /// How many more fields are shown.
    left: usize,
}

impl Walker {
    fn message(
        &mut self,
        schema: &'static Schema,
        mut cursor: Cursor<'_>,
        depth: u32,
        out: &mut Vec<Field>,
    ) -> Result<(), Problem> {
        while !cursor.rest.is_empty() && self.left > 0 {
            self.left -= 1;
            let start = cursor.offset();
            let (number, wire) = cursor.key()?;
            match schema.field(number) {
                Some(entry) => self.known(entry, start, wire, &mut cursor, depth, out)?,
                None => out.push(unknown(start, number, wire, &mut cursor, depth)?),
            }
        }
        Ok(())
    }

    fn known(
        &mut self,
        entry: &'static Entry,
        start: usize,
        wire: Wire,
        cursor: &mut Cursor<'_>,
        depth: u32,
        out: &mut Vec<Field>,
    ) -> Result<(), Problem> {
        let mut field = Field::leaf(start, 0, entry.name, entry.kind.name(), Value::None)
            .number(entry.number)
            .meaning(entry.meaning);
        if !entry.kind.is_on_wire_as(wire) {
            let reason = format!("field `{}` is not of wire type {}", entry.name, wire.name());
            return Err(Problem::new(start, reason));
        }
        let inner = match &entry.kind {
            Kind::Message(schema) | Kind::Encoded(schema) => Some((*schema, cursor.delimited()?)),
            kind => {
                scalar(kind, wire, cursor, &mut field)?;
                None
            }
        };
        field.len = cursor.offset() - start;
        field.own = field.len;
        if number_is_native(entry.number) {
            field.name = format!("{} (shiome)", entry.name);
        }
        let Some((schema, content)) = inner else {
            out.push(field);
            return Ok(());
        };
        field.own -= content.rest.len();
        let result = self.message(schema, content, depth - 1, &mut field.fields);
        out.push(field);
        result
    }
}

fn number_is_native(number: u64) -> bool {
    number >= FIRST_NATIVE
}

impl Kind {
    fn is_on_wire_as(&self, wire: Wire) -> bool {
        match self {
            Self::Text | Self::Bytes | Self::Message(_) | Self::Encoded(_) => wire == Wire::Len,
            Self::Uint64s => matches!(wire, Wire::Varint | Wire::Len),
            _ => wire == Wire::Varint,
        }
    }
}

fn scalar(
    kind: &Kind,
    wire: Wire,
    cursor: &mut Cursor<'_>,
    field: &mut Field,
) -> Result<(), Problem> {
    field.value = match kind {
        Kind::Text => {
            let content = cursor.delimited()?;
            match str::from_utf8(content.rest) {
                Ok(text) => Value::Text(text.to_owned()),
                Err(error) => {
                    let at = content.offset() + error.valid_up_to();
                    return Err(Problem::new(at, format!("`{}` is not UTF-8", field.name)));
                }
            }
        }
        Kind::Bytes => Value::Bytes(cursor.delimited()?.rest.to_vec()),
        Kind::Uint64s if wire == Wire::Len => {
            let mut content = cursor.delimited()?;
            let mut numbers = Vec::new();
            while !content.rest.is_empty() {
                let number = content.varint()?;
                if numbers.len() < MAX_NUMBERS {
                    numbers.push(number.to_string());
                } else if numbers.len() == MAX_NUMBERS {
                    numbers.push("…".to_owned());
                }
            }
            Value::Text(numbers.join(" "))
        }
        kind => {
            let raw = cursor.varint()?;
            field.word = word(kind, raw);
            number(kind, raw)
        }
    };
    Ok(())
}

/// Most numbers of one packed field that are shown.
const MAX_NUMBERS: usize = 1024;

/// Keeps of a varint what the field's type has room for, as decoders do.
fn number(kind: &Kind, raw: u64) -> Value {
    match kind {
        Kind::Bool => Value::Bool(raw != 0),
        Kind::Uint32 => Value::Unsigned((raw as u32).into()),
        Kind::Int64 => Value::Signed(raw.cast_signed()),
        Kind::Int32 | Kind::Enum(_) => Value::Signed((raw as i32).into()),
        _ => Value::Unsigned(raw),
    }
}

fn word(kind: &Kind, raw: u64) -> Option<String> {
    match kind {
        Kind::Enum(names) => {
            let index = usize::try_from(raw as i32).ok();
            let name = index.and_then(|index| names.get(index));
            Some((*name.unwrap_or(&"unknown")).to_owned())
        }
        Kind::Bits(names) => Some(bits(raw, names)),
        _ => None,
    }
}

/// The names of the bits that are set, and the numbers of those without a name.
pub(super) fn bits(raw: u64, names: &[&str]) -> String {
    let set = (0..u64::BITS).filter(|bit| raw >> bit & 1 == 1);
    let words = set.map(|bit| match names.get(bit as usize) {
        Some(name) => (*name).to_owned(),
        None => format!("unknown bit {bit}"),
    });
    let words: Vec<_> = words.collect();
    if words.is_empty() {
        "none".to_owned()
    } else {
        words.join(", ")
    }
}

fn unknown(
    start: usize,
    number: u64,
    wire: Wire,
    cursor: &mut Cursor<'_>,
    depth: u32,
) -> Result<Field, Problem> {
    let value = match wire {
        Wire::Varint => Value::Unsigned(cursor.varint()?),
        Wire::Fixed64 => Value::Bytes(cursor.take(8)?.to_vec()),
        Wire::Fixed32 => Value::Bytes(cursor.take(4)?.to_vec()),
        Wire::Len => Value::Bytes(cursor.delimited()?.rest.to_vec()),
        Wire::Group => {
            skip_group(number, cursor, depth)?;
            Value::None
        }
        Wire::EndGroup => return Err(Problem::new(start, "a group ends that has not begun")),
    };
    let len = cursor.offset() - start;
    let field = Field::leaf(start, len, "unknown field", wire.name(), value);
    Ok(field.number(number).meaning("skipped by nodes"))
}

/// Goes past the fields of a group, and its end.
fn skip_group(number: u64, cursor: &mut Cursor<'_>, depth: u32) -> Result<(), Problem> {
    let mut open = vec![number];
    while let Some(innermost) = open.last().copied() {
        let start = cursor.offset();
        let (number, wire) = cursor.key()?;
        // What stands in a group is one deeper than the group.
        if wire != Wire::EndGroup && open.len() as u32 >= depth {
            return Err(Problem::new(start, "groups stand in each other too deep"));
        }
        match wire {
            Wire::Varint => drop(cursor.varint()?),
            Wire::Fixed64 => drop(cursor.take(8)?),
            Wire::Fixed32 => drop(cursor.take(4)?),
            Wire::Len => drop(cursor.delimited()?.rest),
            Wire::Group => open.push(number),
            Wire::EndGroup if number == innermost => drop(open.pop()),
            Wire::EndGroup => return Err(Problem::new(start, "another group ends than began")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
