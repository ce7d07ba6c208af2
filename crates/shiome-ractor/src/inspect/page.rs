use std::collections::BTreeMap;

use thiserror::Error;

/// Items of one [`Paged`] answer at most.
pub const MAX_PAGE_LEN: usize = 1000;

/// Longest text that can be searched for, in bytes.
pub const MAX_SEARCH_LEN: usize = 256;

/// Which part of a list to tell.
#[derive(Debug, Clone, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct Page {
    /// Where the last part ended, from [`Paged::next`]. Default: from the beginning.
    pub after: Option<String>,
    /// Items at most: 1 to [`MAX_PAGE_LEN`], beyond which it is that. Default: 100.
    pub limit: Option<usize>,
    /// Only items whose name contains this, or whose number it is. Default: all.
    pub search: Option<String>,
}

/// A page cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PageError {
    /// `after` is not of an earlier answer.
    #[error("`after` is not where an earlier answer ended")]
    After,
    /// The text to search for is too long.
    #[error("`search` is longer than {MAX_SEARCH_LEN} bytes")]
    Search,
    /// There is no such session.
    #[error("there is no such session")]
    NoSession,
}

/// Part of a list.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Paged<T> {
    /// The items, in order.
    pub items: Vec<T>,
    /// Items of all parts together.
    pub total: usize,
    /// For the next part; `None`: this is the last.
    pub next: Option<String>,
}

/// Keys of a list, which say where a part ends.
pub(super) trait Key: Ord + Sized {
    fn to_text(&self) -> String;
    fn from_text(text: &str) -> Option<Self>;
}

impl Key for u64 {
    fn to_text(&self) -> String {
        self.to_string()
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// Scope and name of a group, the length of the scope in front.
impl Key for (String, String) {
    fn to_text(&self) -> String {
        let (scope, name) = self;
        format!("{}:{scope}{name}", scope.len())
    }

    fn from_text(text: &str) -> Option<Self> {
        let (len, both) = text.split_once(':')?;
        let (scope, name) = both.split_at_checked(len.parse().ok()?)?;
        Some((scope.to_owned(), name.to_owned()))
    }
}

impl Page {
    /// The part of that length after that place.
    #[must_use]
    pub fn new(after: Option<String>, limit: usize) -> Self {
        Self {
            after,
            limit: Some(limit),
            search: None,
        }
    }

    /// Only items whose name contains this, or whose number it is.
    #[must_use]
    pub fn search(self, text: impl Into<String>) -> Self {
        Self {
            search: Some(text.into()),
            ..self
        }
    }

    pub(super) fn check(&self) -> Result<(), PageError> {
        let is_long = |text: &String| text.len() > MAX_SEARCH_LEN;
        if self.search.as_ref().is_some_and(is_long) {
            return Err(PageError::Search);
        }
        Ok(())
    }

    /// Whether an item is searched for.
    pub(super) fn matches(&self, pid: Option<u64>, name: Option<&str>) -> bool {
        let Some(search) = &self.search else {
            return true;
        };
        let by_name = name.is_some_and(|name| name.contains(search.as_str()));
        by_name || pid.is_some_and(|pid| search.parse() == Ok(pid))
    }

    /// The part of these items, of which it holds no more than that part at a time.
    pub(super) fn of<K: Key, T>(
        &self,
        items: impl Iterator<Item = (K, T)>,
    ) -> Result<Paged<T>, PageError> {
        let after = match &self.after {
            Some(text) => Some(K::from_text(text).ok_or(PageError::After)?),
            None => None,
        };
        let limit = self.limit.unwrap_or(100).clamp(1, MAX_PAGE_LEN);
        let mut part = BTreeMap::new();
        let (mut total, mut more) = (0, false);
        for (key, item) in items {
            total += 1;
            if after.as_ref().is_some_and(|after| key <= *after) {
                continue;
            }
            part.insert(key, item);
            if part.len() > limit {
                part.pop_last();
                more = true;
            }
        }
        let last = part.last_key_value().map(|(key, _)| key.to_text());
        Ok(Paged {
            next: last.filter(|_| more),
            items: part.into_values().collect(),
            total,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_list_make_it_whole_in_order() {
        let list = || [5, 3, 9, 1, 7].map(|n: u64| (n, n)).into_iter();
        let mut page = Page::new(None, 2);
        let mut seen = Vec::new();
        loop {
            let part = page.of(list()).unwrap();
            assert_eq!(part.total, 5);
            assert!(part.items.len() <= 2);
            seen.extend(part.items);
            match part.next {
                Some(next) => page.after = Some(next),
                None => break,
            }
        }
        assert_eq!(seen, [1, 3, 5, 7, 9]);
    }

    #[test]
    fn a_part_is_never_longer_than_may_be_nor_empty() {
        let list = || (0..2 * MAX_PAGE_LEN as u64).map(|n| (n, n));
        let part = |limit| Page::new(None, limit).of(list()).unwrap().items.len();
        assert_eq!((part(0), part(usize::MAX)), (1, MAX_PAGE_LEN));
    }

    #[test]
    fn groups_are_told_apart_by_scope_and_name() {
        for key in [("", ""), ("a", "bc"), ("ab", "c"), ("ä:", "1:x")] {
            let key = (key.0.to_owned(), key.1.to_owned());
            assert_eq!(<(String, String)>::from_text(&key.to_text()), Some(key));
        }
        for wrong in ["", "1", "x:ab", "9:ab", "1:ä", "-1:a"] {
            assert_eq!(<(String, String)>::from_text(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_cannot_be_told_is_refused() {
        let after = Page::new(Some("x".to_owned()), 1);
        let none = std::iter::empty::<(u64, u64)>();
        assert_eq!(after.of(none), Err(PageError::After));
        let long = Page::default().search("x".repeat(MAX_SEARCH_LEN + 1));
        assert_eq!(long.check(), Err(PageError::Search));
    }

    #[test]
    fn names_are_searched_in_and_numbers_compared() {
        let page = Page::default().search("12");
        assert!(page.matches(Some(12), None) && page.matches(None, Some("a12b")));
        assert!(!page.matches(Some(120), Some("a")));
        assert!(Page::default().matches(None, None));
    }
}
