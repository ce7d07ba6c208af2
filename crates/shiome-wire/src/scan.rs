//! Counts the items of a message's lists before protobuf decoding allocates for them.
//!
//! Two bytes on the wire can become an item of fifty in memory, so a frame within the frame limit could still ask
//! for a gigabyte. The walk below touches field headers only.

use crate::error::DecodeError;

/// Limit on the items in all lists of one message: actors announced, pids terminated, sessions listed.
///
/// At some eighty bytes an item this bounds a decoded message to about 20 MiB beyond its frame.
pub const MAX_LIST_ITEMS: usize = 256 * 1024;

/// Field of `meta.NetworkMessage` that holds the control message, the only one with lists.
const CONTROL: u64 = 3;

/// A repeated field of a message in `control.ControlMessage`.
struct List {
    /// Number of the repeated field.
    field: u64,
    /// Whether one length-delimited field can hold many items: scalars do, messages do not.
    packed: bool,
}

/// The list in member `number` of `control.ControlMessage`.
fn list_of(number: u64) -> Option<List> {
    let (field, packed) = match number {
        1 | 8 => (1, false), // spawn.actors, node_sessions.sessions
        2 => (1, true),      // terminate.ids
        5 | 6 => (2, false), // pg_join.actors, pg_leave.actors
        _ => return None,
    };
    Some(List { field, packed })
}

/// Refuses a [`NetworkMessage`](crate::meta::NetworkMessage) whose lists are above [`MAX_LIST_ITEMS`].
///
/// What is not valid protobuf passes: the decoder refuses it with a better error.
pub(crate) fn check_lists(body: &[u8]) -> Result<(), DecodeError> {
    let mut items = 0;
    // The decoder merges repeated occurrences of a member, so every one counts.
    for (number, control) in Fields(body) {
        let (CONTROL, Value::Bytes(control)) = (number, control) else {
            continue;
        };
        for (number, message) in Fields(control) {
            let (Some(list), Value::Bytes(message)) = (list_of(number), message) else {
                continue;
            };
            for (number, value) in Fields(message) {
                if number == list.field {
                    items += count(&list, value);
                }
                if items > MAX_LIST_ITEMS {
                    return Err(DecodeError::TooManyItems {
                        items,
                        limit: MAX_LIST_ITEMS,
                    });
                }
            }
        }
    }
    Ok(())
}

fn count(list: &List, value: Value<'_>) -> usize {
    match value {
        // A varint ends at its first byte without the continuation bit.
        Value::Bytes(bytes) if list.packed => bytes.iter().filter(|b| **b < 0x80).count(),
        Value::Bytes(_) | Value::Scalar => 1,
    }
}

/// Content of a protobuf field, as far as the walk needs it.
#[derive(Clone, Copy)]
enum Value<'a> {
    Bytes(&'a [u8]),
    Scalar,
}

/// Fields of an encoded message in order of appearance; ends at the first that is not well formed.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let key = self.varint()?;
        let value = match key & 7 {
            0 => self.varint().map(|_| Value::Scalar)?,
            1 => self.take(8).map(|_| Value::Scalar)?,
            2 => {
                let len = usize::try_from(self.varint()?).ok()?;
                Value::Bytes(self.take(len)?)
            }
            5 => self.take(4).map(|_| Value::Scalar)?,
            // Groups are not in the schema, but the decoder skips them and goes on, so the walk must too. Their
            // brackets count as empty fields and what they enclose as if it stood outside: never too few.
            3 | 4 => Value::Scalar,
            _ => return None,
        };
        Some((key >> 3, value))
    }
}

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use prost::Message;

    use super::*;
    use crate::{auth, control, meta::NetworkMessage};

    fn check(message: impl Into<NetworkMessage>) -> Result<(), DecodeError> {
        check_lists(&message.into().encode_to_vec())
    }

    fn actors(n: usize) -> Vec<control::Actor> {
        vec![control::Actor::default(); n]
    }

    #[test]
    fn a_list_of_the_limit_passes_and_one_more_item_does_not() {
        for (n, ok) in [(MAX_LIST_ITEMS, true), (MAX_LIST_ITEMS + 1, false)] {
            let (group, scope) = ("g".to_owned(), "s".to_owned());
            assert_eq!(check(control::Spawn { actors: actors(n) }).is_ok(), ok);
            assert_eq!(
                check(control::PgJoin {
                    group: group.clone(),
                    actors: actors(n),
                    scope: scope.clone()
                })
                .is_ok(),
                ok
            );
            assert_eq!(
                check(control::PgLeave {
                    group,
                    actors: actors(n),
                    scope
                })
                .is_ok(),
                ok
            );
            assert_eq!(
                check(control::Terminate {
                    ids: vec![1 << 20; n]
                })
                .is_ok(),
                ok
            );
            let sessions = vec![auth::NameMessage::default(); n];
            assert_eq!(check(control::NodeSessions { sessions }).is_ok(), ok);
        }
    }

    #[test]
    fn lists_split_over_repeated_members_are_counted_together() {
        let half = NetworkMessage::from(control::Spawn {
            actors: actors(MAX_LIST_ITEMS / 2 + 1),
        })
        .encode_to_vec();
        assert!(check_lists(&half).is_ok());
        let mut both = BytesMut::from(half.as_slice());
        both.extend_from_slice(&half);
        assert!(matches!(
            check_lists(&both),
            Err(DecodeError::TooManyItems { .. })
        ));
    }

    #[test]
    fn a_list_behind_an_unknown_group_is_counted() {
        let group = [0xa3, 0x3f, 0xa4, 0x3f]; // field 1012: start, end
        let spawn = NetworkMessage::from(control::Spawn {
            actors: actors(MAX_LIST_ITEMS + 1),
        });
        let body = [&group[..], &spawn.encode_to_vec()].concat();
        assert!(NetworkMessage::decode(body.as_slice()).is_ok());
        assert!(check_lists(&body).is_err());
    }

    #[test]
    fn unpacked_ids_count_one_each() {
        let ids: Vec<u8> = [0x08, 0x01].repeat(MAX_LIST_ITEMS + 1);
        let mut body = Vec::new();
        prost::encoding::bytes::encode(2, &ids, &mut body);
        let mut message = Vec::new();
        prost::encoding::bytes::encode(3, &body, &mut message);
        assert!(check_lists(&message).is_err());
    }
}
