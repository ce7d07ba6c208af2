//! What one peer says to another: a name and a JSON payload.

mod payload;

use std::fmt;

use serde::{Serialize, de::DeserializeOwned};

pub use self::payload::{MAX_PAYLOAD_LEN, Payload};
use crate::{BusError, Name};

/// A name and a JSON payload. Immutable; a clone shares the payload; equal when name and payload are.
///
/// An intent that arrived and is sent on remembers how often that happened: see [`MAX_HOPS`](crate::MAX_HOPS).
#[derive(Clone)]
pub struct Intent {
    name: Name,
    payload: Payload,
    /// How often it was sent before.
    hops: u8,
}

impl Intent {
    /// Makes an intent.
    ///
    /// # Errors
    ///
    /// [`BusError::InvalidName`] when the name breaks the [rules](Name), or is reserved.
    pub fn new<N>(name: N, payload: impl Into<Payload>) -> Result<Self, BusError>
    where
        N: TryInto<Name>,
        BusError: From<N::Error>,
    {
        Ok(Self::of(name.try_into()?, payload.into()))
    }

    /// Makes an intent of a value that is written as JSON.
    ///
    /// # Errors
    ///
    /// As those of [`new`](Self::new); [`BusError::Serialization`] when the value has no JSON form.
    pub fn json<N, T>(name: N, value: &T) -> Result<Self, BusError>
    where
        N: TryInto<Name>,
        BusError: From<N::Error>,
        T: Serialize + ?Sized,
    {
        Ok(Self::of(name.try_into()?, Payload::json(value)?))
    }

    /// An intent of parts that are valid by their types: the name may be a reserved one.
    #[must_use]
    pub fn of(name: Name, payload: Payload) -> Self {
        Self {
            name,
            payload,
            hops: 0,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Its payload.
    #[must_use]
    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    /// The payload as a value of `T`.
    ///
    /// # Errors
    ///
    /// [`BusError::Serialization`] when it is not one.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, BusError> {
        self.payload.parse()
    }

    /// How often it was sent before.
    pub(crate) fn hops(&self) -> u8 {
        self.hops
    }

    pub(crate) fn set_hops(&mut self, hops: u8) {
        self.hops = hops;
    }

    /// The same, sent `hops` times.
    pub(crate) fn with_hops(self, hops: u8) -> Self {
        Self { hops, ..self }
    }
}

impl PartialEq for Intent {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.payload == other.payload
    }
}

impl fmt::Debug for Intent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name, self.payload)
    }
}

impl TryFrom<&str> for Name {
    type Error = BusError;

    fn try_from(text: &str) -> Result<Self, BusError> {
        Self::new(text)
    }
}

impl TryFrom<&String> for Name {
    type Error = BusError;

    fn try_from(text: &String) -> Result<Self, BusError> {
        Self::new(text)
    }
}

impl From<&Self> for Name {
    fn from(name: &Self) -> Self {
        name.clone()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn equality_is_by_name_and_payload() {
        let intent = |name, value: serde_json::Value| Intent::new(name, value).unwrap();
        let there = intent("a", json!({ "x": 1 }));
        assert_eq!(there, intent("a", json!({ "x": 1 })));
        assert_eq!(there.clone().with_hops(3), there);
        assert_ne!(there, intent("b", json!({ "x": 1 })));
        assert_ne!(there, intent("a", json!({ "x": 2 })));
    }

    #[test]
    fn names_are_checked() {
        for name in ["", "a b", "sys.ping", "a.*"] {
            assert!(matches!(
                Intent::new(name, ()),
                Err(BusError::InvalidName(_))
            ));
        }
        assert!(Intent::new("x".repeat(98).as_str(), ()).is_ok());
    }

    #[test]
    fn typed_values_come_back() {
        let intent = Intent::json("a", &(1, "two", [3.5])).unwrap();
        let back: (u8, String, [f64; 1]) = intent.parse().unwrap();
        assert_eq!(back, (1, "two".to_owned(), [3.5]));
        assert!(matches!(
            intent.parse::<String>(),
            Err(BusError::Serialization(_))
        ));
    }
}
