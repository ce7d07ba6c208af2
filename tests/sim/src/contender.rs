//! Engines of different types behind one face.

use crate::{engine::Kind, metrics::Score, scenarios::Game};

/// Somebody who can play games.
pub trait Contender: Sync {
    /// Its name in tables.
    fn name(&self) -> &str;

    /// Why it cannot play a game, if so.
    fn declines(&self, game: &Game) -> Option<String>;

    /// With how many seeds it plays a game, because it is slow.
    fn most_seeds(&self, _game: &Game) -> usize {
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

    fn most_seeds(&self, game: &Game) -> usize {
        let is_large = game.size() > LARGE;
        if is_large && self.slowness() > 1 {
            SEEDS_OF_THE_SLOW
        } else {
            usize::MAX
        }
    }

    fn play(&self, game: &Game, seed: u64) -> Score {
        game.play(self, seed)
    }
}

/// Nodes from which on a slow engine is really slow.
const LARGE: u32 = 256;
const SEEDS_OF_THE_SLOW: usize = 2;
