//! Lists: a count (u16) and as many items, one after the other. Items have no length of their own.

use core::{iter::FusedIterator, marker::PhantomData};

use crate::{
    error::{DecodeError, EncodeError},
    extension::Extension,
    reader::Reader,
    writer::Writer,
};

/// What a list can be of: [`Update`](crate::Update) or [`Member`](crate::Member).
///
/// Nobody else implements it.
#[expect(private_bounds, reason = "how an item stands on the wire is sealed")]
pub trait ListItem<'a>: Wire<'a> {
    /// The same with views of another lifetime.
    type At<'b>: ListItem<'b>;

    /// Length on the wire, in bytes.
    fn encoded_len(&self) -> usize;
}

/// How an item stands on the wire.
pub(crate) trait Wire<'a>: Copy {
    /// Length of the shortest item, in bytes.
    const MIN_LEN: usize;

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError>;

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError>;
}

/// A list in a datagram, decoded as it is iterated over.
///
/// A list that does not decode has come this far for a reason: the message around it is known and can be answered.
#[derive(Debug, Clone, Copy)]
pub struct List<'a, T> {
    /// The count and what follows it.
    list: Reader<'a>,
    item: PhantomData<T>,
}

impl<'a, T: ListItem<'a>> List<'a, T> {
    /// Takes what starts with a count, whether there is one or not.
    #[inline]
    pub(crate) fn new(list: Reader<'a>) -> Self {
        Self {
            list,
            item: PhantomData,
        }
    }

    /// Number of items that the sender says are there: an upper bound for those that decode.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when the datagram is too short for that number, or for the number itself.
    pub fn announced(&self) -> Result<usize, DecodeError> {
        let mut list = self.list;
        list.count(T::MIN_LEN).map(usize::from)
    }

    /// Decodes the items in the order of the wire. After an error come no more.
    #[inline]
    pub fn iter(&self) -> ListIter<'a, T> {
        let mut items = self.list;
        let (left, error) = match items.count(T::MIN_LEN) {
            Ok(count) => (count, None),
            Err(error) => (0, Some(error)),
        };
        ListIter {
            items,
            left,
            error,
            told: false,
            item: PhantomData,
        }
    }
}

impl<'a, T: ListItem<'a>> IntoIterator for List<'a, T> {
    type Item = Result<T, DecodeError>;
    type IntoIter = ListIter<'a, T>;

    #[inline]
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Iterator over a [`List`].
#[derive(Debug, Clone)]
pub struct ListIter<'a, T> {
    items: Reader<'a>,
    left: u16,
    /// Why the list ends before its time. `left` is 0 then.
    error: Option<DecodeError>,
    /// Whether `next` has returned the error.
    told: bool,
    item: PhantomData<T>,
}

impl<'a, T: ListItem<'a>> ListIter<'a, T> {
    /// What follows the list in the datagram, past the items that have not been taken yet.
    ///
    /// # Errors
    ///
    /// The [`DecodeError`] that ends the list: where it would have ended is not known then.
    pub fn trailing(mut self) -> Result<Trailing<'a>, DecodeError> {
        for item in &mut self {
            item?;
        }
        match self.error {
            Some(error) => Err(error),
            None => Ok(Trailing(self.items)),
        }
    }

    #[inline]
    fn fail(&mut self, error: DecodeError) -> Option<Result<T, DecodeError>> {
        self.left = 0;
        self.error = Some(error);
        self.told = true;
        Some(Err(error))
    }
}

impl<'a, T: ListItem<'a>> Iterator for ListIter<'a, T> {
    type Item = Result<T, DecodeError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let Some(left) = self.left.checked_sub(1) else {
            let error = self.error.filter(|_| !self.told)?;
            return self.fail(error);
        };
        match T::read(&mut self.items) {
            Ok(item) => {
                self.left = left;
                Some(Ok(item))
            }
            Err(error) => self.fail(error),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let untold = usize::from(self.error.is_some() && !self.told);
        let most = usize::from(self.left) + untold;
        // Any item may turn out to be the error that ends the list.
        (most.min(1), Some(most))
    }
}

impl<'a, T: ListItem<'a>> FusedIterator for ListIter<'a, T> {}

/// What follows the message in a datagram. Nodes of the installed base ignore it.
#[derive(Debug, Clone, Copy)]
pub struct Trailing<'a>(pub(crate) Reader<'a>);

impl<'a> Trailing<'a> {
    /// The bytes as they are.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.0.rest()
    }

    /// The extension, if that is what follows. Other bytes, and an extension of another version, are none.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when the extension is cut short.
    pub fn extension(&self) -> Result<Option<Extension<'a>>, DecodeError> {
        Extension::read(self.0)
    }
}
