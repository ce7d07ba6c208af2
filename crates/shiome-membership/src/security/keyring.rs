use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use thiserror::Error;

use super::key::{Key, KeyId};

/// The keys that a node knows: one that it encrypts with, and others whose datagrams it reads too.
///
/// Clones share the keys, so a clone that the program keeps changes them while the node runs.
///
/// # Rotation
///
/// No datagram is lost if each step is done on all nodes before the next:
///
/// 1. [`add`](Self::add) the new key: all can read it, nobody writes it.
/// 2. [`set_primary`](Self::set_primary): all write it.
/// 3. [`remove`](Self::remove) the old key: what was recorded under it is of no use any more.
///
/// ```
/// use shiome_membership::{Key, Keyring};
///
/// let (old, new) = (Key::random(), Key::random());
/// let keyring = Keyring::new(&old);
/// let id = keyring.add(&new)?;
/// keyring.set_primary(id)?;
/// keyring.remove(old.id())?;
/// assert_eq!(keyring.ids(), [id]);
/// # Ok::<(), shiome_membership::KeyringError>(())
/// ```
#[derive(Clone)]
pub struct Keyring(Arc<RwLock<Keys>>);

struct Keys {
    primary: Slot,
    others: Vec<Slot>,
}

struct Slot {
    id: KeyId,
    /// In a box, so that moving the slot leaves no copy of the key behind. It is wiped when dropped.
    cipher: Box<XChaCha20Poly1305>,
}

/// A change of a [`Keyring`] that cannot be. The keyring is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// A key of that id is in it already.
    #[error("key {0} is in the keyring already")]
    Known(KeyId),
    /// There is no such key.
    #[error("key {0} is not in the keyring")]
    Unknown(KeyId),
    /// The key is the one that is encrypted with: make another primary first.
    #[error("key {0} is the primary key")]
    Primary(KeyId),
    /// It holds [`Keyring::MAX_KEYS`].
    #[error("the keyring is full")]
    Full,
}

impl Keyring {
    /// Most keys that it holds. A rotation needs two; more than a few are keys that somebody forgot to remove.
    pub const MAX_KEYS: usize = 8;

    /// With one key, to read and to write with.
    pub fn new(primary: &Key) -> Self {
        Self(Arc::new(RwLock::new(Keys {
            primary: Slot::new(primary),
            others: Vec::new(),
        })))
    }

    /// Adds a key to read with, and returns its id.
    ///
    /// # Errors
    ///
    /// [`KeyringError::Known`], [`KeyringError::Full`].
    pub fn add(&self, key: &Key) -> Result<KeyId, KeyringError> {
        let slot = Slot::new(key);
        let id = slot.id;
        let mut keys = self.write();
        if keys.find(id).is_some() {
            return Err(KeyringError::Known(id));
        }
        if keys.others.len() + 1 >= Self::MAX_KEYS {
            return Err(KeyringError::Full);
        }
        keys.others.push(slot);
        Ok(id)
    }

    /// Encrypts with this key from now on. The one before it stays, to read with.
    ///
    /// # Errors
    ///
    /// [`KeyringError::Unknown`].
    pub fn set_primary(&self, id: KeyId) -> Result<(), KeyringError> {
        let mut keys = self.write();
        if keys.primary.id == id {
            return Ok(());
        }
        let Keys { primary, others } = &mut *keys;
        let slot = others
            .iter_mut()
            .find(|slot| slot.id == id)
            .ok_or(KeyringError::Unknown(id))?;
        std::mem::swap(primary, slot);
        Ok(())
    }

    /// Forgets a key: what is encrypted with it is not read any more.
    ///
    /// # Errors
    ///
    /// [`KeyringError::Unknown`], [`KeyringError::Primary`].
    pub fn remove(&self, id: KeyId) -> Result<(), KeyringError> {
        let mut keys = self.write();
        if keys.primary.id == id {
            return Err(KeyringError::Primary(id));
        }
        let index = keys.others.iter().position(|slot| slot.id == id);
        keys.others.remove(index.ok_or(KeyringError::Unknown(id))?);
        Ok(())
    }

    /// The key that is encrypted with.
    pub fn primary(&self) -> KeyId {
        self.read().primary.id
    }

    /// All keys, the primary first.
    pub fn ids(&self) -> Vec<KeyId> {
        self.read().iter().map(|slot| slot.id).collect()
    }

    /// Runs `f` with the primary key. `f` must not change the keyring.
    pub(crate) fn with_primary<R>(&self, f: impl FnOnce(KeyId, &XChaCha20Poly1305) -> R) -> R {
        let keys = self.read();
        f(keys.primary.id, &keys.primary.cipher)
    }

    /// Runs `f` with the key of that id, if there is one. `f` must not change the keyring.
    pub(crate) fn with<R>(&self, id: KeyId, f: impl FnOnce(&XChaCha20Poly1305) -> R) -> Option<R> {
        self.read().find(id).map(|slot| f(&slot.cipher))
    }

    fn read(&self) -> RwLockReadGuard<'_, Keys> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Keys> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keyring").field(&self.ids()).finish()
    }
}

impl Keys {
    fn iter(&self) -> impl Iterator<Item = &Slot> {
        std::iter::once(&self.primary).chain(&self.others)
    }

    fn find(&self, id: KeyId) -> Option<&Slot> {
        self.iter().find(|slot| slot.id == id)
    }
}

impl Slot {
    fn new(key: &Key) -> Self {
        Self {
            id: key.id(),
            cipher: Box::new(XChaCha20Poly1305::new(key.as_bytes().into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Key {
        Key::from([byte; 32])
    }

    #[test]
    fn a_rotation_replaces_the_key() {
        let keyring = Keyring::new(&key(1));
        let shared = keyring.clone();
        let new = shared.add(&key(2)).unwrap();
        assert_eq!(keyring.ids(), [key(1).id(), new]);
        shared.set_primary(new).unwrap();
        assert_eq!(keyring.ids(), [new, key(1).id()]);
        shared.remove(key(1).id()).unwrap();
        assert_eq!((keyring.primary(), keyring.ids()), (new, vec![new]));
        assert!(keyring.with(key(1).id(), |_| ()).is_none());
        assert!(keyring.with(new, |_| ()).is_some());
    }

    #[test]
    fn there_is_always_a_primary_key() {
        let keyring = Keyring::new(&key(1));
        let (here, absent) = (key(1).id(), key(9).id());
        assert_eq!(keyring.remove(here), Err(KeyringError::Primary(here)));
        assert_eq!(keyring.remove(absent), Err(KeyringError::Unknown(absent)));
        assert_eq!(
            keyring.set_primary(absent),
            Err(KeyringError::Unknown(absent))
        );
        assert_eq!(keyring.set_primary(here), Ok(()));
        assert_eq!(keyring.ids(), [here]);
    }

    #[test]
    fn it_holds_so_many_keys_and_each_once() {
        let keyring = Keyring::new(&key(0));
        assert_eq!(keyring.add(&key(0)), Err(KeyringError::Known(key(0).id())));
        for byte in 1..Keyring::MAX_KEYS as u8 {
            keyring.add(&key(byte)).unwrap();
        }
        assert_eq!(keyring.add(&key(100)), Err(KeyringError::Full));
        assert_eq!(keyring.ids().len(), Keyring::MAX_KEYS);
    }

    #[test]
    fn only_ids_are_printed() {
        let keyring = Keyring::new(&key(0xab));
        let id = keyring.primary();
        assert_eq!(format!("{keyring:?}"), format!("Keyring([KeyId({id})])"));
    }
}
