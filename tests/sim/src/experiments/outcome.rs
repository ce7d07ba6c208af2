use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use super::{Cell, Goal};
use crate::{
    contender::Contender,
    hash::Fingerprint,
    metrics::{Figure, Metric, Score},
};

/// What all made of a cell.
#[derive(Debug)]
pub struct Outcome {
    /// The cell.
    pub cell: Cell,
    /// By player, in the order of the cell.
    pub played: Vec<Played>,
}

/// What one made of a cell.
#[derive(Debug)]
pub struct Played {
    /// Who.
    pub name: &'static str,
    /// With how many seeds.
    pub seeds: usize,
    /// All scores, or why there are none.
    pub scores: Result<Vec<Score>, String>,
}

impl Cell {
    /// Lets all play, on as many threads as there are cores.
    pub fn run(self, contenders: &[Box<dyn Contender>], seed: u64) -> Outcome {
        let play = |name: &&'static str| {
            let found = contenders.iter().find(|c| c.name() == *name);
            let most = found.map_or(usize::MAX, |contender| contender.most_seeds(&self.games[0]));
            let seeds = self.seeds.min(most);
            let scores = match found {
                Some(contender) => self.play(contender.as_ref(), seed, seeds),
                None => Err("is not part of this build".to_owned()),
            };
            Played {
                name,
                seeds,
                scores,
            }
        };
        let played = self.who.iter().map(play).collect();
        Outcome { cell: self, played }
    }

    fn play(
        &self,
        contender: &dyn Contender,
        seed: u64,
        seeds: usize,
    ) -> Result<Vec<Score>, String> {
        if let Some(reason) = self.games.iter().find_map(|game| contender.declines(game)) {
            return Err(reason);
        }
        let plays = self.games.len() * seeds;
        let threads = match self.is_alone {
            true => 1,
            false => std::thread::available_parallelism().map_or(1, usize::from),
        };
        let scores = Mutex::new(vec![None; plays]);
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..threads.min(plays) {
                scope.spawn(|| {
                    loop {
                        let play = next.fetch_add(1, Ordering::Relaxed);
                        if play >= plays {
                            break;
                        }
                        let game = &self.games[play / seeds];
                        let seed = seed + (play % seeds) as u64;
                        let score = contender.play(game, seed);
                        let mut scores = scores.lock().unwrap_or_else(PoisonError::into_inner);
                        scores[play] = Some(score);
                    }
                });
            }
        });
        let scores = scores.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(scores.into_iter().flatten().collect())
    }
}

impl Outcome {
    /// What was measured, in the order of the scores.
    pub fn metrics(&self) -> Vec<&'static Metric> {
        let mut metrics: Vec<&'static Metric> = Vec::new();
        let scores = self.played.iter().filter_map(|p| p.scores.as_ref().ok());
        for (metric, _) in scores.flatten().flat_map(|score| &score.values) {
            if !metrics.contains(metric) {
                metrics.push(metric);
            }
        }
        metrics
    }

    /// One figure of one player.
    pub fn figure(&self, name: &str, metric: &Metric, statistic: &str) -> Option<f64> {
        let played = self.played.iter().find(|played| played.name == name)?;
        let figures = played.figures(metric);
        let found = figures.iter().find(|f| f.statistic == statistic)?;
        Some(found.value)
    }

    /// What should come out for a player.
    pub fn goal(&self, name: &str, metric: &Metric, statistic: &str) -> Option<&Goal> {
        self.cell
            .goals
            .iter()
            .find(|goal| goal.of == name && goal.metric == metric && goal.statistic == statistic)
    }
}

impl Played {
    /// The figures of a metric; none when it was not measured.
    pub fn figures(&self, metric: &Metric) -> Vec<Figure> {
        let scores = self.scores.as_deref().unwrap_or_default();
        let values = Vec::from_iter(scores.iter().filter_map(|score| score.get(metric)));
        metric.figures(&values, self.seeds)
    }

    /// Fingerprint of all plays; `None` when they cannot be repeated.
    pub fn fingerprint(&self) -> Option<u64> {
        let mut all = Fingerprint::default();
        for score in self.scores.as_ref().ok()? {
            all.add(score.fingerprint?);
        }
        Some(all.value())
    }
}
