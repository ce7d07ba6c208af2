//! JSON that is shared, and changes its form only when asked to.

mod valid;

use std::{
    fmt, io,
    sync::{Arc, OnceLock},
};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use self::valid::Valid;
use crate::BusError;

/// Bytes of a payload as JSON text at most, unless the bus is told otherwise: what a link buffers for one envelope.
pub const MAX_PAYLOAD_LEN: usize = 1024 * 1024;

/// How deep arrays and objects of a payload may be nested: what every JSON reader takes.
pub const MAX_PAYLOAD_DEPTH: usize = 127;

const NULL_TEXT: &str = "null";
static NULL: Value = Value::Null;

/// A JSON value, shared by its clones.
///
/// What arrives over a link is checked, and stays text until its [`value`](Self::value) is asked for; what is made of a value
/// becomes text only when it leaves the process.
#[derive(Clone, Default)]
pub struct Payload(Form);

#[derive(Clone, Default)]
enum Form {
    #[default]
    Null,
    /// A text that was checked. Its value, once it was asked for, is shared by clones that are made later.
    Text {
        text: Arc<str>,
        value: OnceLock<Arc<Value>>,
    },
    Value(Arc<Shared>),
}

/// A value, and what was made of it.
struct Shared {
    value: Value,
    text: OnceLock<Box<str>>,
    /// Bytes of the text, unless the value is nested too deep.
    len: OnceLock<Option<usize>>,
}

impl Payload {
    /// The payload `null`.
    #[must_use]
    pub const fn null() -> Self {
        Self(Form::Null)
    }

    /// Writes `value` as JSON.
    ///
    /// # Errors
    ///
    /// [`BusError::Serialization`] when it has no JSON form, as a map whose keys are no strings, or is nested deeper than
    /// [`MAX_PAYLOAD_DEPTH`].
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, BusError> {
        Self::from_text(serde_json::to_string(value)?)
    }

    /// Takes JSON text over as it is. Its length is for the caller to limit.
    ///
    /// # Errors
    ///
    /// [`BusError::Serialization`] when it is no JSON, has numbers that no 64-bit float comes near, or is nested deeper than
    /// [`MAX_PAYLOAD_DEPTH`].
    pub fn from_text(text: impl Into<Arc<str>>) -> Result<Self, BusError> {
        let text = text.into();
        check(&text)?;
        Ok(Self::of_valid_text(text))
    }

    fn of_valid_text(text: Arc<str>) -> Self {
        if &*text == NULL_TEXT {
            return Self::null();
        }
        let value = OnceLock::new();
        Self(Form::Text { text, value })
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &Value {
        match &self.0 {
            Form::Null => &NULL,
            Form::Value(shared) => &shared.value,
            Form::Text { text, value } => value.get_or_init(|| {
                let value = serde_json::from_str(text);
                Arc::new(value.expect("the text was checked when it was taken"))
            }),
        }
    }

    /// The value as JSON text, as it arrived if it did.
    #[must_use]
    #[inline]
    pub fn text(&self) -> &str {
        match &self.0 {
            Form::Null => NULL_TEXT,
            Form::Text { text, .. } => text,
            Form::Value(shared) => {
                let text = || shared.value.to_string().into();
                shared.text.get_or_init(text)
            }
        }
    }

    /// Bytes of the text. Counted once, without making the text.
    #[must_use]
    #[inline]
    pub fn text_len(&self) -> usize {
        match &self.0 {
            Form::Null => NULL_TEXT.len(),
            Form::Text { text, .. } => text.len(),
            Form::Value(shared) => {
                let checked = shared.checked_len();
                checked.unwrap_or_else(|| len_of(&shared.value))
            }
        }
    }

    /// Bytes of the text of a payload that every peer can read. Looked at once.
    ///
    /// # Errors
    ///
    /// [`BusError::Serialization`] when it is nested deeper than [`MAX_PAYLOAD_DEPTH`].
    #[inline]
    pub(crate) fn checked_len(&self) -> Result<usize, BusError> {
        let Form::Value(shared) = &self.0 else {
            return Ok(self.text_len());
        };
        let too_deep = || format!("nested more than {MAX_PAYLOAD_DEPTH} deep");
        let len = shared.checked_len();
        len.ok_or_else(|| BusError::serialization(too_deep()))
    }

    /// The value as one of `T`.
    ///
    /// # Errors
    ///
    /// [`BusError::Serialization`] when it is none.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, BusError> {
        if let Form::Text { text, value } = &self.0
            && value.get().is_none()
            && let Ok(parsed) = serde_json::from_str(text)
        {
            return Ok(parsed);
        }
        // The error is the same whichever form it has.
        Ok(T::deserialize(self.value())?)
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.0, Form::Null) || self.value().is_null()
    }

    /// The string that it is, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        self.value().as_str()
    }
}

impl Shared {
    fn checked_len(&self) -> Option<usize> {
        *self
            .len
            .get_or_init(|| is_at_most(&self.value, MAX_PAYLOAD_DEPTH).then(|| len_of(&self.value)))
    }
}

fn check(text: &str) -> Result<(), BusError> {
    if !is_plain_string(text) {
        serde_json::from_str::<Valid>(text)?;
    }
    Ok(())
}

fn len_of(value: &Value) -> usize {
    let mut count = Count(0);
    let counted = serde_json::to_writer(&mut count, value);
    counted.expect("a value has a text, and counting never fails");
    count.0
}

/// Whether it is a JSON string of ASCII without escapes, as most short payloads that are text. Looks at all bytes alike, which is
/// fast.
fn is_plain_string(text: &str) -> bool {
    let inner = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    inner.is_some_and(|inner| {
        let plain = |byte: &u8| matches!(byte, b' '..=b'~') && *byte != b'"' && *byte != b'\\';
        inner
            .as_bytes()
            .iter()
            .fold(true, |all, byte| all & plain(byte))
    })
}

/// Whether arrays and objects are nested at most so deep.
fn is_at_most(value: &Value, depth: usize) -> bool {
    let within = |member: &Value| is_at_most(member, depth - 1);
    match value {
        Value::Array(_) | Value::Object(_) if depth == 0 => false,
        Value::Array(items) => items.iter().all(within),
        Value::Object(entries) => entries.values().all(within),
        _ => true,
    }
}

/// Bytes that were written to nowhere.
struct Count(usize);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        let same = match (&self.0, &other.0) {
            (Form::Null, Form::Null) => true,
            (Form::Value(a), Form::Value(b)) => Arc::ptr_eq(a, b),
            (Form::Text { text: a, .. }, Form::Text { text: b, .. }) => a == b,
            _ => false,
        };
        same || self.value() == other.value()
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl From<Value> for Payload {
    fn from(value: Value) -> Self {
        if value.is_null() {
            return Self::null();
        }
        Self(Form::Value(Arc::new(Shared {
            value,
            text: OnceLock::new(),
            len: OnceLock::new(),
        })))
    }
}

impl From<()> for Payload {
    fn from((): ()) -> Self {
        Self::null()
    }
}

macro_rules! from {
    ($($type:ty),*) => {$(
        impl From<$type> for Payload {
            fn from(value: $type) -> Self {
                Value::from(value).into()
            }
        }
    )*};
}

// Floats that are no number become `null`, as in JavaScript.
from!(
    bool, &str, String, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64, isize, usize
);

impl<T: Into<Value>> From<Vec<T>> for Payload {
    fn from(values: Vec<T>) -> Self {
        Value::from(values).into()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_forms_are_of_the_same_value() {
        let value = json!({ "a": [1, 2.5, null, true, "x\n潮"], "b": {} });
        let made = Payload::from(value.clone());
        let arrived = Payload::from_text(made.text()).unwrap();
        assert_eq!(arrived.value(), &value);
        assert_eq!(made, arrived);
        for payload in [made, arrived, Payload::null(), 7.into(), "潮".into()] {
            assert_eq!(payload.text_len(), payload.text().len());
            assert_eq!(payload.clone(), payload);
        }
    }

    #[test]
    fn falsy_values_are_values() {
        for value in [json!(0), json!(""), json!(false), json!([]), json!({})] {
            let payload = Payload::from(value.clone());
            assert!(!payload.is_null());
            assert_eq!(payload.value(), &value);
        }
        assert!(Payload::from_text("null").unwrap().is_null());
        assert!(Payload::from_text(" null ").unwrap().is_null());
        assert!(Payload::from(f64::NAN).is_null());
    }

    #[test]
    fn what_is_made_is_nested_no_deeper_than_what_is_read() {
        let deep = |levels| (0..levels).fold(Value::Null, |inner, _| vec![inner].into());
        for levels in [0, 1, MAX_PAYLOAD_DEPTH] {
            let made = Payload::json(&deep(levels)).unwrap();
            assert_eq!(*made.value(), deep(levels));
            let made = Payload::from(deep(levels));
            assert_eq!(made.checked_len().unwrap(), made.text().len());
        }
        for levels in [MAX_PAYLOAD_DEPTH + 1, 200] {
            assert!(Payload::json(&deep(levels)).is_err());
            let made = Payload::from(deep(levels));
            assert!(matches!(
                made.checked_len(),
                Err(BusError::Serialization(_))
            ));
            assert_eq!(made.text_len(), made.text().len());
            assert!(made.value().is_array());
        }
        // What would be written as it is, but is no number that can be read.
        let raw = serde_json::value::RawValue::from_string("1e999".into()).unwrap();
        assert!(Payload::json(&raw).is_err());
    }

    #[test]
    fn plain_strings_are_checked_like_all_others() {
        for character in (0..=u32::from(u16::MAX)).filter_map(char::from_u32) {
            let text = format!("\"a{character}b\"");
            let valid = serde_json::from_str::<Value>(&text).is_ok();
            assert_eq!(Payload::from_text(text).is_ok(), valid, "{character:?}");
        }
        for text in ["\"", "\"\"", "\"a", "a\"", "\"a\" \"b\"", "\"a\\\""] {
            let valid = serde_json::from_str::<Value>(text).is_ok();
            assert_eq!(Payload::from_text(text).is_ok(), valid, "{text}");
        }
    }

    #[test]
    fn what_is_taken_as_text_can_always_become_a_value() {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        for text in [&*deep(127), "1", "[1e300]", "{\"a\":1,\"a\":2}"] {
            assert_eq!(
                *Payload::from_text(text).unwrap().value(),
                serde_json::from_str::<Value>(text).unwrap()
            );
        }
        for text in [
            &*deep(128),
            &*deep(100_000),
            "",
            "{",
            "1 2",
            "1e999",
            "\"\\ud800\"",
            "NaN",
        ] {
            let refused = Payload::from_text(text);
            assert!(
                matches!(refused, Err(BusError::Serialization(_))),
                "{text:.20}"
            );
        }
    }
}
