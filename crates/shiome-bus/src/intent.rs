//! What one peer says to another: a name and a JSON payload.

mod payload;

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use serde::{Serialize, de::DeserializeOwned};

pub use self::payload::{MAX_PAYLOAD_DEPTH, MAX_PAYLOAD_LEN, Payload};
use crate::{BusError, Name};

/// A name and a JSON payload. Immutable; a clone shares the payload; equal when name and payload are.
///
/// An intent that arrived and is sent on remembers how far it came, and how often that happened: see [`MAX_HOPS`](crate::MAX_HOPS).
pub struct Intent {
    name: Name,
    payload: Payload,
    /// How far it came, 0 of one that was made here.
    hops: u8,
    /// How often one that arrived was sent on since, with all clones of it.
    sent_on: OnceLock<Arc<AtomicU32>>,
}

impl Intent {
    /// Makes an intent.
    ///
    /// # Errors
    ///
    /// [`BusError::InvalidName`] when the name breaks the [rules](Name), or is reserved; [`BusError::Serialization`] when the payload
    /// is nested deeper than [`MAX_PAYLOAD_DEPTH`].
    pub fn new<N>(name: N, payload: impl Into<Payload>) -> Result<Self, BusError>
    where
        N: TryInto<Name>,
        BusError: From<N::Error>,
    {
        let (name, payload) = (name.try_into()?, payload.into());
        payload.checked_len()?;
        Ok(Self::of(name, payload))
    }

    /// Makes an intent of a value that is written as JSON.
    ///
    /// # Errors
    ///
    /// As those of [`new`](Self::new); [`BusError::Serialization`] also when the value has no JSON form.
    pub fn json<N, T>(name: N, value: &T) -> Result<Self, BusError>
    where
        N: TryInto<Name>,
        BusError: From<N::Error>,
        T: Serialize + ?Sized,
    {
        Ok(Self::of(name.try_into()?, Payload::json(value)?))
    }

    /// An intent of parts that are valid by their types: the name may be a reserved one. Whether the payload is nested too deep is
    /// found out when it is sent.
    #[must_use]
    pub fn of(name: Name, payload: Payload) -> Self {
        Self {
            name,
            payload,
            hops: 0,
            sent_on: OnceLock::new(),
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

    /// How far it came.
    pub(crate) fn hops(&self) -> u8 {
        self.hops
    }

    /// It has arrived, and came so far.
    pub(crate) fn set_hops(&mut self, hops: u8) {
        self.hops = hops;
        self.sent_on = OnceLock::new();
    }

    /// The same, which came so far.
    pub(crate) fn with_hops(mut self, hops: u8) -> Self {
        self.set_hops(hops);
        self
    }

    /// It is sent, and goes so far: one that arrived one farther each time.
    pub(crate) fn send_on(&self) -> u8 {
        if self.hops == 0 {
            return 0;
        }
        let times = self.sent_on().fetch_add(1, Ordering::Relaxed);
        self.hops
            .saturating_add(u8::try_from(times).unwrap_or(u8::MAX))
    }

    /// After [`send_on`](Self::send_on): it was not sent after all.
    pub(crate) fn not_sent_on(&self) {
        if self.hops > 0 {
            self.sent_on().fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn sent_on(&self) -> &Arc<AtomicU32> {
        self.sent_on.get_or_init(Arc::default)
    }
}

impl Clone for Intent {
    fn clone(&self) -> Self {
        let sent_on = match self.hops {
            // Whatever was made here may be sent to as many as one likes.
            0 => OnceLock::new(),
            _ => OnceLock::from(Arc::clone(self.sent_on())),
        };
        Self {
            name: self.name.clone(),
            payload: self.payload.clone(),
            hops: self.hops,
            sent_on,
        }
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
    fn what_arrived_goes_one_farther_each_time_that_it_is_sent_on() {
        let made = Intent::new("a", ()).unwrap();
        assert_eq!([made.send_on(), made.clone().send_on()], [0, 0]);
        let arrived = made.clone().with_hops(1);
        let (first, second) = (arrived.clone(), arrived.clone());
        assert_eq!(
            [first.send_on(), second.send_on(), first.clone().send_on()],
            [1, 2, 3]
        );
        second.not_sent_on();
        assert_eq!(arrived.send_on(), 3);
        // Where it arrives it begins anew from there.
        assert_eq!(first.with_hops(4).send_on(), 4);
        assert_eq!(arrived.send_on(), 4);
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
