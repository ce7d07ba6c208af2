//! What settings can be set to. Each is read from text and from TOML by the same rule, and says it when it is broken.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de};

mod place;
mod text;

pub(in crate::node) use place::{AdminAddress, Ip, Socket};
pub(crate) use text::Dialled;
pub(in crate::node) use text::{BusAddress, Collector, HostPort, Listened, NodeAddress, Site};

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct Whole<const MIN: i64, const MAX: i64>(i64);

impl<const MIN: i64, const MAX: i64> Whole<MIN, MAX> {
    /// The number, in a type that has room for `MIN` to `MAX`.
    pub(super) fn get<T: TryFrom<i64>>(self) -> T {
        let number = T::try_from(self.0).ok();
        number.expect("the type has room for all numbers of the setting")
    }

    fn new(number: i64) -> Result<Self, String> {
        match number {
            number if (MIN..=MAX).contains(&number) => Ok(Self(number)),
            _ => Err(format!("{number} is not a {}", Self::rule())),
        }
    }

    fn rule() -> String {
        format!("whole number from {MIN} to {MAX}")
    }
}

impl<const MIN: i64, const MAX: i64> FromStr for Whole<MIN, MAX> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.parse::<i64>();
        Self::new(number.map_err(|_| format!("`{text}` is not a {}", Self::rule()))?)
    }
}

impl<'de, const MIN: i64, const MAX: i64> Deserialize<'de> for Whole<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<const MIN: i64, const MAX: i64>;

        impl<const MIN: i64, const MAX: i64> de::Visitor<'_> for Visitor<MIN, MAX> {
            type Value = Whole<MIN, MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a {}", Whole::<MIN, MAX>::rule())
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
                Whole::new(number).map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
                self.visit_i64(i64::try_from(number).unwrap_or(i64::MAX))
            }
        }

        deserializer.deserialize_i64(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_to_their_bounds() {
        type Small = Whole<1, 9>;
        assert_eq!("9".parse::<Small>().unwrap().get::<u8>(), 9);
        for (wrong, told) in [
            ("0", "0 is not a whole number from 1 to 9"),
            ("-1", "-1 is not a whole number from 1 to 9"),
            ("4294967297", "4294967297 is not a whole number from 1 to 9"),
            ("x", "`x` is not a whole number from 1 to 9"),
        ] {
            assert_eq!(wrong.parse::<Small>().unwrap_err(), told);
        }
        let negative = "-65536".parse::<Whole<-65_535, 0>>().unwrap_err();
        assert_eq!(negative, "-65536 is not a whole number from -65535 to 0");
    }
}
