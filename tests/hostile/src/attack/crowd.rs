//! Many attackers at a time.

use tokio::task::JoinSet;

use super::{Arena, Tally};
use crate::Problem;

/// Runs `many` of them and adds up what they tell. Checks are taken from the first that has one of that name and fails,
/// or else from the first.
pub(crate) async fn crowd<F, R>(arena: &Arena, many: u64, each: F) -> Result<Tally, Problem>
where
    F: Fn(Arena, u64) -> R,
    R: Future<Output = Result<Tally, Problem>> + Send + 'static,
{
    let mut attackers = JoinSet::new();
    for number in 0..many {
        attackers.spawn(each(arena.clone(), number));
    }
    let mut sum = Tally::default();
    while let Some(tally) = attackers.join_next().await {
        sum.add(tally??);
    }
    Ok(sum)
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.attempts += other.attempts;
        self.refused += other.refused;
        for check in other.checks {
            match self.checks.iter_mut().find(|own| own.what == check.what) {
                None => self.checks.push(check),
                Some(own) if own.holds && !check.holds => *own = check,
                Some(_) => {}
            }
        }
        for note in other.notes {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }
}
