use std::{fmt, time::Duration};

use tokio::{sync::oneshot, time::timeout};

use super::{
    process::{Failure, still_after},
    protocol::Answer,
};

/// A request under way.
pub(super) struct Pending {
    label: char,
    deadline: Duration,
    answer: oneshot::Receiver<Result<Answer, String>>,
}

impl Pending {
    pub(super) fn new(
        label: char,
        deadline: Duration,
        answer: oneshot::Receiver<Result<Answer, String>>,
    ) -> Self {
        Self {
            label,
            deadline,
            answer,
        }
    }

    /// Waits for the answer and checks it: `accept` gives back what it does not like.
    pub(super) async fn answer<T>(
        self,
        expected: &str,
        accept: impl FnOnce(Answer) -> Result<T, Answer>,
    ) -> Result<T, Failure> {
        let label = self.label;
        let seen = match timeout(self.deadline, self.answer).await {
            Ok(Ok(Ok(answer))) => match accept(answer) {
                Ok(value) => return Ok(value),
                Err(answer) => answer.to_string(),
            },
            Ok(Ok(Err(error))) => error,
            Ok(Err(_)) => "its process has ended".to_owned(),
            Err(_) => still_after("no answer", self.deadline),
        };
        Err(Failure::new(
            format!("{label}: {expected}"),
            format!("{label}: {seen}"),
        ))
    }

    /// Waits for the request to fail, and tells why it has.
    pub(super) async fn error(self, expected: &str) -> Result<String, Failure> {
        let label = self.label;
        let seen = match timeout(self.deadline, self.answer).await {
            Ok(Ok(Err(error))) => return Ok(error),
            Ok(Ok(Ok(answer))) => answer.to_string(),
            Ok(Err(_)) => "its process has ended".to_owned(),
            Err(_) => still_after("no answer", self.deadline),
        };
        Err(Failure::new(
            format!("{label}: {expected}"),
            format!("{label}: {seen}"),
        ))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Counted(count) => write!(f, "{count}"),
            Self::Totals { totals, .. } => {
                let (low, high) = (totals.iter().min(), totals.iter().max());
                let (low, high) = (low.unwrap_or(&0), high.unwrap_or(&0));
                write!(f, "{} answers from {low} to {high}", totals.len())
            }
            Self::Done => f.write_str("done"),
            Self::Found(found) => {
                let names: Vec<_> = found.iter().map(|actor| actor.name()).collect();
                f.write_str(&names.join(", "))
            }
            Self::Went(how) => f.write_str(how),
            Self::Refused { why, .. } => f.write_str(&why.join(", ")),
            Self::Beside { bytes, calls, .. } => write!(f, "{bytes} bytes, {calls} calls"),
            Self::Offered { taken, full } => write!(f, "{taken} casts taken, {full} not"),
        }
    }
}
