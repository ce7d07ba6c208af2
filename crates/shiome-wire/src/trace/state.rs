//! `tracestate` (Trace Context, §3.3).

use std::{fmt, str::FromStr};

use thiserror::Error;

/// Members of a list (§3.3.1.1).
pub const MAX_TRACE_STATE_MEMBERS: usize = 32;

/// Bytes of a list. So many at least are to be passed on (§3.3.1.5), and nobody is owed more with each message.
pub const MAX_TRACE_STATE_LEN: usize = 512;

/// Members longer than this are the first to go when a list is too long (§3.3.1.5).
const LONG_MEMBER_LEN: usize = 128;

const MAX_KEY_LEN: usize = 256;
const MAX_TENANT_LEN: usize = 241;
const MAX_SYSTEM_LEN: usize = 14;
const MAX_VALUE_LEN: usize = 256;

/// What tracing systems say beside a [`TraceParent`](super::TraceParent): a list of keys with values, the latest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct TraceState(String);

/// A text is no `tracestate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TraceStateError {
    /// It is longer than [`MAX_TRACE_STATE_LEN`].
    #[error("length of {0} bytes")]
    Length(usize),
    /// It has more than [`MAX_TRACE_STATE_MEMBERS`].
    #[error("more than {MAX_TRACE_STATE_MEMBERS} members")]
    Members,
    /// The member of that number, from 0, has no key that is one.
    #[error("key of member {0}")]
    Key(usize),
    /// The member of that number has no value that is one.
    #[error("value of member {0}")]
    Value(usize),
    /// The member of that number has the key of one before.
    #[error("key of member {0} for the second time")]
    Repeated(usize),
}

impl TraceState {
    /// Parses the header. Spaces around members and empty members are left out.
    ///
    /// # Errors
    ///
    /// See [`TraceStateError`].
    pub fn parse(text: &[u8]) -> Result<Self, TraceStateError> {
        if text.len() > MAX_TRACE_STATE_LEN {
            return Err(TraceStateError::Length(text.len()));
        }
        let mut members: Vec<(&[u8], &[u8])> = Vec::new();
        for (place, member) in text.split(|byte| *byte == b',').enumerate() {
            let member = trim(member);
            if member.is_empty() {
                continue;
            }
            let (key, value) = split(member).ok_or(TraceStateError::Value(place))?;
            if !is_key(key) {
                return Err(TraceStateError::Key(place));
            }
            if !is_value(value) {
                return Err(TraceStateError::Value(place));
            }
            if members.iter().any(|(other, _)| *other == key) {
                return Err(TraceStateError::Repeated(place));
            }
            if members.len() == MAX_TRACE_STATE_MEMBERS {
                return Err(TraceStateError::Members);
            }
            members.push((key, value));
        }
        Ok(Self(join(&members)))
    }

    /// The list of another implementation, with as much of it left out as is too long: long members first, then the
    /// earliest (§3.3.1.5). Empty when the text is no list.
    pub fn fit(text: &str) -> Self {
        if text.len() <= MAX_TRACE_STATE_LEN {
            return Self::parse(text.as_bytes()).unwrap_or_default();
        }
        let short = |member: &&str| member.len() <= LONG_MEMBER_LEN;
        let mut members: Vec<_> = text.split(',').map(str::trim).filter(short).collect();
        members.truncate(MAX_TRACE_STATE_MEMBERS);
        while members.iter().map(|member| member.len() + 1).sum::<usize>() > MAX_TRACE_STATE_LEN {
            members.pop();
        }
        Self::parse(members.join(",").as_bytes()).unwrap_or_default()
    }

    /// As the header, empty when there is none.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keys with their values, the latest first.
    pub fn members(&self) -> impl Iterator<Item = (&str, &str)> {
        let members = self.0.split(',');
        members.filter_map(|member| member.split_once('='))
    }
}

/// Without spaces and tabs around.
fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

fn split(member: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = member.iter().position(|byte| *byte == b'=')?;
    Some((&member[..at], &member[at + 1..]))
}

/// §3.3.1.3.1.
fn is_key(key: &[u8]) -> bool {
    let all = |part: &[u8]| part.iter().all(|byte| is_key_byte(*byte));
    let mut parts = key.splitn(2, |byte| *byte == b'@');
    match (parts.next(), parts.next()) {
        (Some(tenant), Some(system)) => {
            let begins = matches!(tenant.first(), Some(b'a'..=b'z' | b'0'..=b'9'))
                && matches!(system.first(), Some(b'a'..=b'z'));
            begins
                && tenant.len() <= MAX_TENANT_LEN
                && system.len() <= MAX_SYSTEM_LEN
                && all(tenant)
                && all(system)
        }
        _ => matches!(key.first(), Some(b'a'..=b'z')) && key.len() <= MAX_KEY_LEN && all(key),
    }
}

fn is_key_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/')
}

/// §3.3.1.3.2. It cannot end with a space, which was trimmed.
fn is_value(value: &[u8]) -> bool {
    let is_byte = |byte: &u8| matches!(byte, 0x20..=0x7e) && *byte != b'=';
    !value.is_empty() && value.len() <= MAX_VALUE_LEN && value.iter().all(is_byte)
}

/// Of keys and values that are ASCII.
fn join(members: &[(&[u8], &[u8])]) -> String {
    let mut text = String::new();
    for (key, value) in members {
        if !text.is_empty() {
            text.push(',');
        }
        text.extend(key.iter().map(|byte| char::from(*byte)));
        text.push('=');
        text.extend(value.iter().map(|byte| char::from(*byte)));
    }
    text
}

impl FromStr for TraceState {
    type Err = TraceStateError;

    fn from_str(text: &str) -> Result<Self, TraceStateError> {
        Self::parse(text.as_bytes())
    }
}

impl fmt::Display for TraceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{TraceStateError as E, *};

    fn parse(text: &str) -> Result<TraceState, E> {
        text.parse()
    }

    #[test]
    fn the_examples_of_the_recommendation() {
        let example = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE";
        let state = parse(example).unwrap();
        assert_eq!(state.as_str(), example);
        let members: Vec<_> = state.members().collect();
        assert_eq!(
            members,
            [("rojo", "00f067aa0ba902b7"), ("congo", "t61rcWkgMzE")]
        );
        assert_eq!(parse("fw529a3039@dt=FfFfFf").unwrap().members().count(), 1);
    }

    #[test]
    fn spaces_and_empty_members_are_left_out() {
        assert_eq!(parse(" a=1 ,\t, b=2\t").unwrap().as_str(), "a=1,b=2");
        assert_eq!(parse("a= 1 2 ").unwrap().as_str(), "a= 1 2");
        for none in ["", " ", ",", " ,\t,"] {
            assert!(parse(none).unwrap().is_empty(), "{none:?}");
        }
    }

    #[test]
    fn what_is_malformed_says_which_member() {
        let system = format!("t@{}=1", "s".repeat(15));
        let tenant = format!("{}@s=1", "t".repeat(242));
        let key = format!("{}=1", "k".repeat(257));
        let value = format!("a={}", "v".repeat(257));
        for (text, error) in [
            ("a", E::Value(0)),
            ("a=1,b", E::Value(1)),
            ("=1", E::Key(0)),
            ("A=1", E::Key(0)),
            ("1=1", E::Key(0)),
            ("a b=1", E::Key(0)),
            ("t@=1", E::Key(0)),
            ("@s=1", E::Key(0)),
            ("t@1s=1", E::Key(0)),
            ("t@s@u=1", E::Key(0)),
            (&system, E::Key(0)),
            (&tenant, E::Key(0)),
            (&key, E::Key(0)),
            (&value, E::Value(0)),
            ("a=", E::Value(0)),
            ("a=b=c", E::Value(0)),
            ("a=\u{7f}", E::Value(0)),
            ("a=ä", E::Value(0)),
            ("a=1,b=2,a=3", E::Repeated(2)),
        ] {
            assert_eq!(parse(text), Err(error), "{text:?}");
        }
        assert_eq!(parse(&" ".repeat(513)), Err(E::Length(513)));
    }

    #[test]
    fn there_are_32_members_at_most() {
        let list = |count| {
            let members: Vec<_> = (0..count).map(|n| format!("k{n}=v")).collect();
            members.join(",")
        };
        assert_eq!(parse(&list(32)).unwrap().members().count(), 32);
        assert_eq!(parse(&list(33)), Err(E::Members));
    }

    #[test]
    fn what_is_too_long_loses_long_members_and_then_the_earliest() {
        let long = format!("long={}", "x".repeat(200));
        let members: Vec<_> = (0..20)
            .map(|n| format!("k{n:02}={}", "v".repeat(30)))
            .collect();
        let state = TraceState::fit(&format!("{long},{}", members.join(",")));
        assert!(state.as_str().len() <= MAX_TRACE_STATE_LEN);
        let kept: Vec<_> = state.members().map(|(key, _)| key.to_owned()).collect();
        let first: Vec<_> = (0..kept.len()).map(|n| format!("k{n:02}")).collect();
        assert_eq!(kept, first);
        assert_eq!(kept.len(), 14);
        assert_eq!(TraceState::fit("a=1").as_str(), "a=1");
        assert!(TraceState::fit("no list").is_empty());
    }

    proptest! {
        #[test]
        fn what_was_read_is_written_and_read_the_same(text in "[ \ta-c0-9@=,]{0,80}") {
            if let Ok(state) = parse(&text) {
                prop_assert_eq!(parse(state.as_str()), Ok(state));
            }
        }

        #[test]
        fn any_bytes_are_taken_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            if let Ok(state) = TraceState::parse(&bytes) {
                prop_assert!(state.as_str().len() <= bytes.len());
            }
        }
    }
}
