//! Frames as JSON: an array of objects, each of which says its `type`.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::value::RawValue;

pub(super) use self::write::{encode, encode_envelope};
use self::{limited::Limited, members::Members};
use super::{Apart, Frame, MAX_FRAMES, WireError, parts::Before};

mod limited;
mod members;
mod write;

pub(super) fn decode(text: &str) -> Result<Apart, WireError> {
    let objects: Limited<&RawValue, MAX_FRAMES> = serde_json::from_str(text).map_err(json_error)?;
    let mut apart = Apart::with_capacity(objects.0.len());
    let mut before = Before::default();
    for raw in objects.0 {
        if let Some(frame) = frame(raw.get(), &mut before)? {
            apart.push(frame);
        }
    }
    Ok(apart)
}

/// The frame, unless its type is not known.
fn frame(text: &str, before: &mut Before) -> Result<Option<Frame>, WireError> {
    let mut json = serde_json::Deserializer::from_str(text);
    let members = match json.deserialize_map(TypeFirst).map_err(json_error)? {
        Some(members) => members,
        None => {
            let tag: Tag<'_> = serde_json::from_str(text).map_err(json_error)?;
            let mut json = serde_json::Deserializer::from_str(text);
            Members::of(&tag.kind, &mut json).map_err(json_error)?
        }
    };
    members.frame(before)
}

fn json_error(error: serde_json::Error) -> WireError {
    WireError::Json(error.to_string())
}

#[derive(Deserialize)]
struct Tag<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
}

/// Reads an object in one go if it begins with its `type`, as most do. `None` if it does not.
struct TypeFirst;

impl<'a> Visitor<'a> for TypeFirst {
    type Value = Option<Members<'a>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a frame")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let first = object.next_key::<Cow<'a, str>>()?;
        if first.as_deref() != Some("type") {
            if first.is_some() {
                object.next_value::<IgnoredAny>()?;
            }
            while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(None);
        }
        let kind: Cow<'a, str> = object.next_value()?;
        let rest = MapAccessDeserializer::new(object);
        Members::of(&kind, rest).map(Some)
    }
}
