//! Engines of different types behind one face.

use crate::{engine::Kind, metrics::Score, scenarios::Game};

/// Somebody who can play games.
pub trait Contender: Sync {
    /// Its name in tables.
    fn name(&self) -> &str;

    /// Why it cannot play a game, if so.
    fn declines(&self, game: &Game) -> Option<String>;

    /// With how many seeds it plays, because it is slow.
    fn most_seeds(&self) -> usize {
        usize::MAX
    }

    /// Plays a game once.
    fn play(&self, game: &Game, seed: u64) -> Score;
}

impl<K: Kind> Contender for K {
    fn name(&self) -> &str {
        Kind::name(self)
    }

    fn declines(&self, game: &Game) -> Option<String> {
        let largest = self.largest_cluster();
        let size = game.size();
        (size > largest).then(|| format!("not simulated above {largest} nodes: takes too long"))
    }

    fn play(&self, game: &Game, seed: u64) -> Score {
        game.play(self, seed)
    }
}
