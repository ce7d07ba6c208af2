use std::path::PathBuf;

use shiome_gossip::NodeId;

use crate::{
    clock,
    state::{Record, Recorder, StateDir, StateError},
};

/// Who a node is in this run.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) id: NodeId,
    pub(crate) incarnation: u64,
    /// To encrypt in.
    pub(crate) epoch: u64,
    /// For what changes while it runs.
    pub(crate) recorder: Option<Recorder>,
}

impl Identity {
    /// Without a directory. A node that is given an id may have had it before: its incarnation is the time, and so above
    /// the former one if the clock is right. A new id starts at 1.
    pub(crate) fn fresh(given: Option<NodeId>) -> Self {
        Self {
            id: given.unwrap_or_else(random_id),
            incarnation: given.map_or(1, |_| clock::incarnation()),
            epoch: clock::epoch(),
            recorder: None,
        }
    }

    /// From a directory, above all that the node was before. The directory says so already when this returns. Blocks on
    /// the file system.
    pub(crate) fn from_dir(path: PathBuf, given: Option<NodeId>) -> Result<Self, StateError> {
        let (dir, stored) = StateDir::open(&path)?;
        let record = match stored {
            Some(stored) => successor(stored, given)?,
            None => Record {
                id: given.unwrap_or_else(random_id),
                incarnation: 1,
                epoch: clock::epoch(),
            },
        };
        dir.store(&record)?;
        let Record {
            id,
            incarnation,
            epoch,
        } = record;
        Ok(Self {
            id,
            incarnation,
            epoch,
            recorder: Some(Recorder::new(dir, record)),
        })
    }
}

fn successor(stored: Record, given: Option<NodeId>) -> Result<Record, StateError> {
    let Record {
        id,
        incarnation,
        epoch,
    } = stored;
    if let Some(given) = given.filter(|given| *given != id) {
        return Err(StateError::OtherNode { stored: id, given });
    }
    Ok(Record {
        id,
        incarnation: incarnation.checked_add(1).ok_or(StateError::Exhausted)?,
        // The clock may have been set back.
        epoch: clock::epoch().max(epoch.checked_add(1).ok_or(StateError::Exhausted)?),
    })
}

/// A UUID of version 4 (RFC 9562 §5.4).
fn random_id() -> NodeId {
    let mut bytes: [u8; NodeId::LEN] = rand::random();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(byte: u8) -> NodeId {
        NodeId::from([byte; 16])
    }

    #[test]
    fn a_directory_makes_each_start_greater_than_the_one_before() {
        let temp = tempfile::tempdir().unwrap();
        let start = |given| Identity::from_dir(temp.path().to_owned(), given).unwrap();
        let first = start(None);
        let (id, epoch) = (first.id, first.epoch);
        assert_eq!(first.incarnation, 1);
        drop(first);
        let second = start(Some(id));
        assert_eq!((second.id, second.incarnation), (id, 2));
        assert!(second.epoch > epoch);
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_lower_the_epoch() {
        let ahead = Record {
            id: node(1),
            incarnation: 7,
            epoch: u64::MAX - 1,
        };
        let next = successor(ahead, None).unwrap();
        assert_eq!((next.incarnation, next.epoch), (8, u64::MAX));
        assert!(matches!(successor(next, None), Err(StateError::Exhausted)));
    }

    #[test]
    fn a_directory_of_another_node_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        Identity::from_dir(temp.path().to_owned(), Some(node(1))).unwrap();
        let other = Identity::from_dir(temp.path().to_owned(), Some(node(2)));
        match other {
            Err(StateError::OtherNode { stored, given }) => {
                assert_eq!((stored, given), (node(1), node(2)));
            }
            other => panic!("{other:?}"),
        }
        let same = Identity::from_dir(temp.path().to_owned(), None).unwrap();
        assert_eq!((same.id, same.incarnation), (node(1), 2));
    }

    #[test]
    fn without_a_directory_only_a_known_id_needs_the_clock() {
        let new = Identity::fresh(None);
        assert_eq!(new.incarnation, 1);
        assert_ne!(new.id, Identity::fresh(None).id);
        assert_eq!(new.id.to_string().as_bytes()[14], b'4');
        assert!(Identity::fresh(Some(node(1))).incarnation > 1 << 32);
    }
}
