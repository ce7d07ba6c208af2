//! What handlers return.

use std::{any::Any, error::Error, sync::Arc};

use crate::{BusError, error::cut};

/// What a handler may return: nothing, or a result whose error is counted, and told to a sender who waits.
pub trait Outcome {
    /// The same as a result.
    ///
    /// # Errors
    ///
    /// When the handler failed.
    fn into_result(self) -> Result<(), Box<dyn Error + Send + Sync>>;
}

impl Outcome for () {
    fn into_result(self) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(())
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> Outcome for Result<(), E> {
    fn into_result(self) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.map_err(Into::into)
    }
}

/// How a handler failed.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    Panic(Arc<str>),
    Error(Arc<str>),
    /// The payload was not of the type that it takes.
    Payload(BusError),
}

impl Failure {
    pub(crate) fn of(outcome: impl Outcome) -> Result<(), Self> {
        let result = outcome.into_result();
        result.map_err(|error| Self::Error(cut(&error.to_string()).into()))
    }

    pub(crate) fn of_panic(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Self::Panic(format!("panicked: {}", cut(text.unwrap_or("no text"))).into())
    }
}
