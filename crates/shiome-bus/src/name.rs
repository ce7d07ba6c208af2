//! Names of intents, and patterns that match them.

use std::{borrow::Borrow, fmt};

use smol_str::SmolStr;

use crate::{
    BusError,
    error::{InvalidName, NameFault},
};

/// Bytes of the name of an intent, and of a pattern, at most.
pub const MAX_NAME_LEN: usize = 255;

/// What names of the bus and of its protocols begin with.
const SYSTEM: &str = "sys.";

/// Name of an intent: tokens of visible characters, joined by dots, 1 to [`MAX_NAME_LEN`] bytes, as in `chat.message`.
///
/// A token has no dot, `*`, `>`, white space or control character, and at least one character. Case matters. Names that
/// begin with `sys.` are reserved for the bus. Cloning allocates nothing; names of up to 23 bytes are copied whole.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(SmolStr);

impl Name {
    /// Makes a name of `text`.
    ///
    /// # Errors
    ///
    /// [`BusError::InvalidName`] when it breaks the rules, or is reserved.
    pub fn new(text: &str) -> Result<Self, BusError> {
        let reserved = text.starts_with(SYSTEM).then_some(NameFault::Reserved);
        Self::unless(text, fault(text).or(reserved))
    }

    /// Makes a name of `text`, reserved or not: for links, and for protocols between peers.
    ///
    /// # Errors
    ///
    /// [`BusError::InvalidName`] when it breaks the rules.
    pub fn any(text: &str) -> Result<Self, BusError> {
        Self::unless(text, fault(text))
    }

    /// One of the bus' own names.
    pub(crate) const fn system(text: &'static str) -> Self {
        Self(SmolStr::new_static(text))
    }

    fn unless(text: &str, fault: Option<NameFault>) -> Result<Self, BusError> {
        match fault {
            None => Ok(Self(SmolStr::new(text))),
            Some(fault) => Err(InvalidName::new("intent", text, fault).into()),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is reserved for the bus.
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.0.starts_with(SYSTEM)
    }
}

fn fault(text: &str) -> Option<NameFault> {
    if text.is_empty() {
        Some(NameFault::Empty)
    } else if text.len() > MAX_NAME_LEN {
        Some(NameFault::TooLong(MAX_NAME_LEN))
    } else {
        text.split('.').find_map(token_fault)
    }
}

fn token_fault(token: &str) -> Option<NameFault> {
    let refused = |c: char| c.is_whitespace() || c.is_control();
    if token.is_empty() {
        Some(NameFault::EmptyToken)
    } else if token.contains(['*', '>']) {
        Some(NameFault::Wildcard)
    } else if token.contains(refused) {
        Some(NameFault::Character)
    } else {
        None
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

/// Which names a handler is for: a name, or one with wildcards (the grammar of NATS).
///
/// `*` stands for exactly one token, `>` at the end for one or more. A pattern that begins with a wildcard matches no reserved
/// name: those are asked for by name, as in `sys.rtc.>`.
///
/// ```
/// use shiome_bus::{Name, Pattern};
///
/// let pattern = Pattern::new("chat.*.message")?;
/// assert!(pattern.matches(&Name::new("chat.room1.message")?));
/// assert!(!pattern.matches(&Name::new("chat.message")?));
/// assert!(Pattern::new("chat.>")?.matches(&Name::new("chat.room1.message")?));
/// # Ok::<(), shiome_bus::BusError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    text: Name,
    wild: bool,
}

impl Pattern {
    /// Makes a pattern of `text`.
    ///
    /// # Errors
    ///
    /// [`BusError::InvalidName`] when it breaks the rules for names, has a wildcard that is only part of a token, or a `>` that
    /// is not last.
    pub fn new(text: &str) -> Result<Self, BusError> {
        let fault = match text.len() {
            0 => Some(NameFault::Empty),
            1..=MAX_NAME_LEN => pattern_fault(text),
            _ => Some(NameFault::TooLong(MAX_NAME_LEN)),
        };
        match fault {
            None => Ok(Self {
                text: Name(SmolStr::new(text)),
                wild: text.contains(['*', '>']),
            }),
            Some(fault) => Err(InvalidName::new("pattern", text, fault).into()),
        }
    }

    /// The pattern that matches every name but the reserved ones.
    #[must_use]
    pub fn any() -> Self {
        Self {
            text: Name::system(">"),
            wild: true,
        }
    }

    /// The pattern as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.text.as_str()
    }

    /// The only name that it matches, if it has no wildcard.
    #[must_use]
    pub fn exact(&self) -> Option<&Name> {
        (!self.wild).then_some(&self.text)
    }

    /// Whether `name` is one of those that it stands for.
    #[must_use]
    pub fn matches(&self, name: &Name) -> bool {
        if !self.wild {
            return self.text == *name;
        }
        let (mut pattern, mut tokens) = (self.as_str().split('.'), name.as_str().split('.'));
        if self.as_str().starts_with(['*', '>']) && name.is_system() {
            return false;
        }
        loop {
            match (pattern.next(), tokens.next()) {
                (Some(">"), Some(_)) | (None, None) => return true,
                (Some(wanted), Some(token)) if wanted == "*" || wanted == token => {}
                _ => return false,
            }
        }
    }
}

fn pattern_fault(text: &str) -> Option<NameFault> {
    let mut tokens = text.split('.').peekable();
    while let Some(token) = tokens.next() {
        let fault = match token {
            "*" => None,
            ">" if tokens.peek().is_none() => None,
            _ => token_fault(token),
        };
        if fault.is_some() {
            return fault;
        }
    }
    None
}

impl TryFrom<&str> for Pattern {
    type Error = BusError;

    fn try_from(text: &str) -> Result<Self, BusError> {
        Self::new(text)
    }
}

impl From<&Name> for Pattern {
    fn from(name: &Name) -> Self {
        Self {
            text: name.clone(),
            wild: false,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault_of<T>(result: Result<T, BusError>) -> Option<NameFault> {
        match result {
            Err(BusError::InvalidName(error)) => Some(error.fault()),
            _ => None,
        }
    }

    #[test]
    fn names_are_dotted_tokens() {
        let (longest, too_long) = ("x".repeat(MAX_NAME_LEN), "x".repeat(MAX_NAME_LEN + 1));
        for text in [
            "a",
            "chat.message",
            "潮.目",
            "a-b_c.D9",
            "sysadmin",
            &longest,
        ] {
            assert_eq!(Name::new(text).unwrap(), *text);
        }
        for (text, fault) in [
            ("", NameFault::Empty),
            (&*too_long, NameFault::TooLong(MAX_NAME_LEN)),
            ("a..b", NameFault::EmptyToken),
            (".a", NameFault::EmptyToken),
            ("a.", NameFault::EmptyToken),
            ("a b", NameFault::Character),
            ("a\u{7f}", NameFault::Character),
            ("a.*", NameFault::Wildcard),
            (">", NameFault::Wildcard),
            ("sys.ping", NameFault::Reserved),
        ] {
            assert_eq!(fault_of(Name::new(text)), Some(fault), "{text:?}");
        }
        assert!(Name::any("sys.ping").unwrap().is_system());
    }

    #[test]
    fn wildcards_are_whole_tokens_and_the_rest_is_last() {
        for text in ["*", ">", "a.*", "*.b", "a.>", "*.*.>", "sys.ping"] {
            assert!(Pattern::new(text).is_ok(), "{text}");
        }
        for text in ["", "a*", "a.b*", ">.a", "a.>.b", "a..*", "a b"] {
            assert!(fault_of(Pattern::new(text)).is_some(), "{text}");
        }
    }

    #[test]
    fn patterns_match_by_token() {
        let matches = |pattern: &str, name: &str| {
            let name = Name::any(name).unwrap();
            Pattern::new(pattern).unwrap().matches(&name)
        };
        for (pattern, name) in [
            ("a.b", "a.b"),
            ("*", "a"),
            ("a.*", "a.b"),
            ("*.b", "a.b"),
            (">", "a"),
            (">", "a.b.c"),
            ("a.>", "a.b"),
            ("a.*.>", "a.b.c"),
            ("sys.>", "sys.rtc.offer"),
            ("sys.*", "sys.ping"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("a.b", "a.B"),
            ("*", "a.b"),
            ("a.*", "a"),
            ("a.*", "a.b.c"),
            ("a.>", "a"),
            ("a.*.>", "a.b"),
            (">", "sys.ping"),
            ("*.ping", "sys.ping"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
