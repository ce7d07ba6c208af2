//! `traceparent` (Trace Context, §3.2).

use std::{fmt, str::FromStr};

use thiserror::Error;

/// Length of version 00: `00-` 32 digits `-` 16 digits `-` 2 digits.
pub const TRACE_PARENT_LEN: usize = 55;

/// Length of what is taken. Later versions may append fields; none is known.
pub const MAX_TRACE_PARENT_LEN: usize = 255;

const SAMPLED: u8 = 1;

/// Since level 2 of the recommendation.
const RANDOM: u8 = 2;

/// A span, told to whoever continues its trace. Neither of its ids is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceParent {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    flags: u8,
}

/// A text is no `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TraceParentError {
    /// It is shorter or longer than its version has it, or longer than [`MAX_TRACE_PARENT_LEN`].
    #[error("length of {0} bytes")]
    Length(usize),
    /// Fields do not end where they should.
    #[error("no - at byte {0}")]
    Separator(usize),
    /// Something else than a digit or a letter from a to f, which may not be capital.
    #[error("no lower-case hexadecimal digit at byte {0}")]
    Digit(usize),
    /// Version ff is invalid.
    #[error("version ff")]
    Version,
    /// All digits of the trace id are 0.
    #[error("trace id 0")]
    TraceId,
    /// All digits of the id of the span are 0.
    #[error("span id 0")]
    SpanId,
}

impl TraceParent {
    /// The span with that id. Of the flags that are known are kept: 1, sampled, and 2, the trace id is random.
    ///
    /// # Errors
    ///
    /// When an id is 0.
    pub fn new(trace_id: [u8; 16], span_id: [u8; 8], flags: u8) -> Result<Self, TraceParentError> {
        if trace_id == [0; 16] {
            return Err(TraceParentError::TraceId);
        }
        if span_id == [0; 8] {
            return Err(TraceParentError::SpanId);
        }
        Ok(Self {
            trace_id,
            span_id,
            flags: flags & (SAMPLED | RANDOM),
        })
    }

    /// Id of the trace that the span is part of.
    pub fn trace_id(&self) -> [u8; 16] {
        self.trace_id
    }

    /// Id of the span, `parent-id` in the recommendation.
    pub fn span_id(&self) -> [u8; 8] {
        self.span_id
    }

    /// Those flags that are known.
    pub fn flags(&self) -> u8 {
        self.flags
    }

    /// Whether the sender may have recorded the span.
    pub fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// Parses the header. Of a later version what version 00 has is taken (§3.2.4).
    ///
    /// # Errors
    ///
    /// See [`TraceParentError`].
    pub fn parse(text: &[u8]) -> Result<Self, TraceParentError> {
        let len = text.len();
        if !(TRACE_PARENT_LEN..=MAX_TRACE_PARENT_LEN).contains(&len) {
            return Err(TraceParentError::Length(len));
        }
        let [version] = hex(text, 0)?;
        let trace_id = hex(text, 3)?;
        let span_id = hex(text, 36)?;
        let [flags] = hex(text, 53)?;
        for at in [2, 35, 52] {
            separator(text, at)?;
        }
        match version {
            0xff => return Err(TraceParentError::Version),
            0 if len > TRACE_PARENT_LEN => return Err(TraceParentError::Length(len)),
            _ if len > TRACE_PARENT_LEN => separator(text, TRACE_PARENT_LEN)?,
            _ => {}
        }
        Self::new(trace_id, span_id, flags)
    }
}

fn separator(text: &[u8], at: usize) -> Result<(), TraceParentError> {
    match text[at] {
        b'-' => Ok(()),
        _ => Err(TraceParentError::Separator(at)),
    }
}

/// The bytes whose digits begin at `start`; there are as many.
fn hex<const N: usize>(text: &[u8], start: usize) -> Result<[u8; N], TraceParentError> {
    let mut bytes = [0; N];
    for (place, byte) in bytes.iter_mut().enumerate() {
        let at = start + 2 * place;
        *byte = digit(text, at)? << 4 | digit(text, at + 1)?;
    }
    Ok(bytes)
}

fn digit(text: &[u8], at: usize) -> Result<u8, TraceParentError> {
    match text[at] {
        digit @ b'0'..=b'9' => Ok(digit - b'0'),
        digit @ b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(TraceParentError::Digit(at)),
    }
}

impl FromStr for TraceParent {
    type Err = TraceParentError;

    fn from_str(text: &str) -> Result<Self, TraceParentError> {
        Self::parse(text.as_bytes())
    }
}

/// As the header of version 00, [`TRACE_PARENT_LEN`] bytes.
impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("00-")?;
        self.trace_id
            .iter()
            .try_for_each(|b| write!(f, "{b:02x}"))?;
        f.write_str("-")?;
        self.span_id.iter().try_for_each(|b| write!(f, "{b:02x}"))?;
        write!(f, "-{:02x}", self.flags)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{TraceParentError as E, *};

    /// The example of §3.2.3.
    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn parse(text: &str) -> Result<TraceParent, E> {
        text.parse()
    }

    #[test]
    fn the_example_of_the_recommendation() {
        let parent = parse(EXAMPLE).unwrap();
        assert_eq!(
            parent.trace_id(),
            0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes()
        );
        assert_eq!(parent.span_id(), 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes());
        assert!(parent.is_sampled());
        assert_eq!(parent.to_string(), EXAMPLE);
        let not_sampled = parse(&format!("{}00", &EXAMPLE[..53])).unwrap();
        assert!(!not_sampled.is_sampled());
    }

    #[test]
    fn flags_that_are_not_known_are_not_passed_on() {
        let all = parse(&format!("{}ff", &EXAMPLE[..53])).unwrap();
        assert_eq!(all.flags(), 3);
        assert!(all.to_string().ends_with("-03"));
    }

    #[test]
    fn later_versions_have_more_and_the_first_has_not() {
        let rest = &EXAMPLE[2..];
        assert_eq!(parse(&format!("cc{rest}")), parse(EXAMPLE));
        assert_eq!(parse(&format!("cc{rest}-what-the-future")), parse(EXAMPLE));
        assert_eq!(parse(&format!("cc{rest}.what")), Err(E::Separator(55)));
        assert_eq!(parse(&format!("00{rest}-what")), Err(E::Length(60)));
        assert_eq!(parse(&format!("ff{rest}")), Err(E::Version));
        let long = format!("cc{rest}-{}", "x".repeat(200));
        assert_eq!(parse(&long), Err(E::Length(256)));
    }

    #[test]
    fn what_is_malformed_says_where() {
        for (from, to, error) in [
            ("4bf9", "4BF9", E::Digit(4)),
            ("00-4", "0x-4", E::Digit(1)),
            ("00-4", "00_4", E::Separator(2)),
            ("-01", "-0g", E::Digit(54)),
            ("6-00f0", "6.00f0", E::Separator(35)),
            (
                "4bf92f3577b34da6a3ce929d0e0e4736",
                &"0".repeat(32),
                E::TraceId,
            ),
            ("00f067aa0ba902b7", &"0".repeat(16), E::SpanId),
        ] {
            assert_eq!(parse(&EXAMPLE.replacen(from, to, 1)), Err(error), "{from}");
        }
        for len in 0..EXAMPLE.len() {
            assert_eq!(parse(&EXAMPLE[..len]), Err(E::Length(len)));
        }
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed_but_those_of_flags_and_later_versions() {
        let right = parse(EXAMPLE).unwrap();
        for bit in 0..EXAMPLE.len() * 8 {
            let mut bytes = EXAMPLE.as_bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(other) = TraceParent::parse(&bytes) {
                assert!(other != right || bit / 8 < 2 || bit / 8 >= 53, "{bit}");
            }
        }
    }

    proptest! {
        #[test]
        fn it_is_read_as_it_was_written(trace: u128, span: u64, flags: u8) {
            if let Ok(parent) = TraceParent::new(trace.to_be_bytes(), span.to_be_bytes(), flags) {
                let text = parent.to_string();
                prop_assert_eq!(text.len(), TRACE_PARENT_LEN);
                prop_assert_eq!(parse(&text), Ok(parent));
            } else {
                prop_assert!(trace == 0 || span == 0);
            }
        }

        #[test]
        fn any_bytes_are_taken_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = TraceParent::parse(&bytes);
        }
    }
}
