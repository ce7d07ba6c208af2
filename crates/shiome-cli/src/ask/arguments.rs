//! Arguments of messages, as the derive macros lay them out: of each its length in eight bytes, big end first, and its bytes.

use std::{fs::File, io::Read as _, path::Path};

use super::{AskFailure, Shown};

/// Longest file that is an argument, in bytes: the longest that a node takes from an operator, in hexadecimal.
const MAX_FILE_LEN: u64 = 512 * 1024;

/// All arguments of a message.
pub(super) fn encode(arguments: &[String]) -> Result<Vec<u8>, AskFailure> {
    let mut encoded = Vec::new();
    for argument in arguments {
        let field = field(argument)?;
        encoded.extend((field.len() as u64).to_be_bytes());
        encoded.extend(field);
    }
    Ok(encoded)
}

macro_rules! numbers {
    ($kind:expr, $text:expr; $($name:literal => $type:ty),*) => {
        match $kind {
            $($name => Some($text.parse::<$type>().map(|n| n.to_be_bytes().to_vec()).map_err(|e| e.to_string())),)*
            _ => None,
        }
    };
}

fn field(argument: &str) -> Result<Vec<u8>, AskFailure> {
    if let Some(path) = argument.strip_prefix('@') {
        return file(Path::new(path));
    }
    let Some((kind, text)) = argument.split_once(':') else {
        return Ok(argument.as_bytes().to_vec());
    };
    let number = numbers!(kind, text;
        "u8" => u8, "u16" => u16, "u32" => u32, "u64" => u64, "u128" => u128,
        "i8" => i8, "i16" => i16, "i32" => i32, "i64" => i64, "i128" => i128,
        "f32" => f32, "f64" => f64);
    let read = match (number, kind) {
        (Some(number), _) => number,
        (None, "str") => Ok(text.as_bytes().to_vec()),
        (None, "hex") => hex::decode(text).map_err(|error| error.to_string()),
        (None, "bool") => text
            .parse::<bool>()
            .map(|truth| vec![u8::from(truth)])
            .map_err(|_| "neither `true` nor `false`".to_owned()),
        // No type that is known: a text with a colon in it.
        (None, _) => Ok(argument.as_bytes().to_vec()),
    };
    read.map_err(|reason| AskFailure::Argument {
        argument: argument.to_owned(),
        reason,
    })
}

fn file(path: &Path) -> Result<Vec<u8>, AskFailure> {
    let failed = |source| AskFailure::ReadFile {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    let len = file.take(MAX_FILE_LEN + 1).read_to_end(&mut bytes);
    if len.map_err(failed)? as u64 > MAX_FILE_LEN {
        return Err(AskFailure::Argument {
            argument: format!("@{}", path.display()),
            reason: format!("longer than {MAX_FILE_LEN} bytes"),
        });
    }
    Ok(bytes)
}

/// A reply in words; `None` when it is not of that type.
pub(super) fn show(reply: &[u8], shown: Shown) -> Option<String> {
    let text = || {
        let text = std::str::from_utf8(reply).ok()?;
        Some(super::table::clean(text))
    };
    match shown {
        Shown::Hex => Some(hex::encode(reply)),
        Shown::Str => text(),
        Shown::Auto => {
            let plain = |text: &str| !text.is_empty() && !text.contains('\u{fffd}');
            let text = text().filter(|text| plain(text));
            Some(text.unwrap_or_else(|| hex::encode(reply)))
        }
        Shown::Uint => {
            let low = unsigned(reply)?;
            Some(low.to_string())
        }
        Shown::Int => {
            let bits = 8 * u32::try_from(reply.len()).ok()?;
            let shift = 128_u32.checked_sub(bits)?;
            let number = (unsigned(reply)? << shift).cast_signed() >> shift;
            Some(number.to_string())
        }
        Shown::Float => match reply.len() {
            4 => Some(f32::from_be_bytes(reply.try_into().ok()?).to_string()),
            8 => Some(f64::from_be_bytes(reply.try_into().ok()?).to_string()),
            _ => None,
        },
        Shown::Bool => match reply {
            [0] => Some("false".to_owned()),
            [1] => Some("true".to_owned()),
            _ => None,
        },
    }
}

fn unsigned(bytes: &[u8]) -> Option<u128> {
    if !matches!(bytes.len(), 1 | 2 | 4 | 8 | 16) {
        return None;
    }
    Some(
        bytes
            .iter()
            .fold(0, |number, byte| number << 8 | u128::from(*byte)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_argument_has_its_length_in_front() {
        let encoded = encode(&["u16:258".into(), "ab".into()]).unwrap();
        assert_eq!(
            hex::encode(encoded),
            "0000000000000002010200000000000000026162"
        );
        assert!(encode(&[]).unwrap().is_empty());
    }

    #[test]
    fn types_are_told_by_a_prefix_and_all_else_is_text() {
        for (argument, bytes) in [
            ("u8:7", "07"),
            ("i32:-1", "ffffffff"),
            ("f32:1.5", "3fc00000"),
            ("bool:true", "01"),
            ("hex:00ff", "00ff"),
            ("str:u8:7", "75383a37"),
            ("a:b", "613a62"),
            ("7", "37"),
            ("", ""),
        ] {
            assert_eq!(hex::encode(field(argument).unwrap()), bytes, "{argument}");
        }
        for wrong in ["u8:256", "i32:x", "bool:yes", "hex:0", "@/nowhere/at/all"] {
            assert_eq!(field(wrong).unwrap_err().exit_code(), 2, "{wrong}");
        }
    }

    #[test]
    fn a_reply_is_shown_as_asked_if_it_is_that() {
        for (bytes, shown, text) in [
            ("68c3a4", Shown::Auto, Some("hä")),
            ("0001", Shown::Auto, Some("0001")),
            ("", Shown::Auto, Some("")),
            ("1b5b", Shown::Str, Some("\u{fffd}[")),
            ("ff", Shown::Str, None),
            ("0102", Shown::Uint, Some("258")),
            ("010203", Shown::Uint, None),
            ("fffe", Shown::Int, Some("-2")),
            ("ffffffffffffffffffffffffffffffff", Shown::Int, Some("-1")),
            ("3fc00000", Shown::Float, Some("1.5")),
            ("01", Shown::Bool, Some("true")),
            ("02", Shown::Bool, None),
            ("00ff", Shown::Hex, Some("00ff")),
        ] {
            let reply = hex::decode(bytes).unwrap();
            assert_eq!(show(&reply, shown).as_deref(), text, "{bytes} {shown:?}");
        }
    }
}
