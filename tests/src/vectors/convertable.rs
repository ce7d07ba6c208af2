//! Values in `ractor`'s `BytesConvertable` encoding: `{"type", "value", "hex"}`.
//!
//! Numbers are decimal strings, `Vec<u8>` is hex, other lists are lists.

use ractor::BytesConvertable;
use serde::Deserialize;
use serde_json::Value;

use super::{FileReport, Format, unhex};

pub(super) const FORMAT: Format = Format {
    name: "bytes convertable",
    required: &["type", "value", "hex"],
    optional: &["note"],
    check,
};

/// A value and the Rust type that it has.
#[derive(Deserialize)]
pub(super) struct Typed {
    #[serde(rename = "type")]
    kind: String,
    value: Value,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(flatten)]
    typed: Typed,
    hex: String,
}

fn check(entries: &[Value], report: &mut FileReport) {
    report.each(
        entries,
        |entry: &Entry| format!("{} {}", entry.typed.kind, entry.typed.value),
        |entry| entry.typed.check(&unhex("hex", &entry.hex)?),
    );
}

impl Typed {
    /// Checks that the value encodes to `bytes` and that `bytes` decode to the value.
    pub(super) fn check(&self, bytes: &[u8]) -> Result<(), String> {
        let check = match self.kind.as_str() {
            "u8" => one::<u8>,
            "u16" => one::<u16>,
            "u32" => one::<u32>,
            "u64" => one::<u64>,
            "u128" => one::<u128>,
            "i8" => one::<i8>,
            "i16" => one::<i16>,
            "i32" => one::<i32>,
            "i64" => one::<i64>,
            "i128" => one::<i128>,
            "f32" => one::<f32>,
            "f64" => one::<f64>,
            "()" => one::<()>,
            "bool" => one::<bool>,
            "char" => one::<char>,
            "String" => one::<String>,
            "Vec<u8>" => one::<Vec<u8>>,
            "Vec<u16>" => list::<u16>,
            "Vec<u32>" => list::<u32>,
            "Vec<u64>" => list::<u64>,
            "Vec<u128>" => list::<u128>,
            "Vec<i8>" => list::<i8>,
            "Vec<i16>" => list::<i16>,
            "Vec<i32>" => list::<i32>,
            "Vec<i64>" => list::<i64>,
            "Vec<i128>" => list::<i128>,
            "Vec<f32>" => list::<f32>,
            "Vec<f64>" => list::<f64>,
            "Vec<bool>" => list::<bool>,
            "Vec<char>" => list::<char>,
            other => return Err(format!("no check for the type {other}")),
        };
        check(&self.value, bytes)
    }
}

fn one<T: Recorded + BytesConvertable>(value: &Value, bytes: &[u8]) -> Result<(), String> {
    both_ways(T::read(value), bytes, T::same)
}

fn list<T: Recorded>(value: &Value, bytes: &[u8]) -> Result<(), String>
where
    Vec<T>: BytesConvertable,
{
    let items = value.as_array().map(|items| items.iter().map(T::read));
    both_ways(items.and_then(Iterator::collect), bytes, |a: &Vec<T>, b| {
        a.len() == b.len() && std::iter::zip(a, b).all(|(a, b)| a.same(b))
    })
}

fn both_ways<T: BytesConvertable + Clone>(
    value: Option<T>,
    bytes: &[u8],
    same: impl Fn(&T, &T) -> bool,
) -> Result<(), String> {
    let value = value.ok_or("no value of the type")?;
    let encoded = value.clone().into_bytes();
    // Decoding comes second: it panics on bytes that are too short.
    if encoded != bytes {
        return Err(format!("encodes to {}", hex::encode(encoded)));
    }
    if !same(&T::from_bytes(bytes.to_vec()), &value) {
        return Err("decodes to another value".to_owned());
    }
    Ok(())
}

/// A type whose values stand in vector files.
trait Recorded: Clone {
    fn read(value: &Value) -> Option<Self>;

    /// Equality that also tells the zeros apart and takes a NaN for itself.
    fn same(&self, other: &Self) -> bool;
}

macro_rules! numbers {
    ($same:expr; $($number:ty)*) => {$(
        impl Recorded for $number {
            fn read(value: &Value) -> Option<Self> {
                value.as_str()?.parse().ok()
            }

            fn same(&self, other: &Self) -> bool {
                $same(*self, *other)
            }
        }
    )*};
}

numbers!(|a, b| a == b; u8 u16 u32 u64 u128 i8 i16 i32 i64 i128);
numbers!(|a: Self, b: Self| a.to_bits() == b.to_bits(); f32 f64);

macro_rules! others {
    ($($other:ty: $read:expr,)*) => {$(
        impl Recorded for $other {
            fn read(value: &Value) -> Option<Self> {
                $read(value)
            }

            fn same(&self, other: &Self) -> bool {
                self == other
            }
        }
    )*};
}

others! {
    (): Value::as_null,
    bool: Value::as_bool,
    char: |value: &Value| value.as_str()?.parse().ok(),
    String: |value: &Value| value.as_str().map(str::to_owned),
    Vec<u8>: |value: &Value| hex::decode(value.as_str()?).ok(),
}
