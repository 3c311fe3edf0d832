//! Order of an epoch through shards.

use rand_chacha::ChaCha8Rng;

use super::Shards;
use crate::DatasetError;
use crate::seed::{self, Draw};

/// Order of an epoch, see [`Shards::order`]. It ends after the first error.
///
/// The shards' permutation is drawn from the stream `("shard-order", [seed, epoch])`, the samples from `("shard-buffer", [seed,
/// epoch])`. A resumed run draws the order again and skips the finished part.
#[derive(Debug)]
pub struct ShardOrder {
    shards: Shards,
    /// Remaining shards, the next one last.
    pending: Vec<usize>,
    /// Current shard, its next position and its number of samples.
    current: (usize, usize, usize),
    waiting: Vec<(usize, usize)>,
    buffer: usize,
    rng: ChaCha8Rng,
}

impl ShardOrder {
    pub(super) fn new(shards: Shards, seed: u64, epoch: u64, buffer: usize) -> Self {
        let mut pending: Vec<usize> = (0..shards.files().len()).collect();
        seed::rng("shard-order", &[seed, epoch]).shuffle(&mut pending);
        Self {
            shards,
            pending,
            current: (0, 0, 0),
            waiting: Vec::new(),
            buffer: buffer.max(1),
            rng: seed::rng("shard-buffer", &[seed, epoch]),
        }
    }

    /// Returns the next sample in the order of the shards.
    fn pull(&mut self) -> Result<Option<(usize, usize)>, DatasetError> {
        loop {
            let (shard, position, count) = self.current;
            if position < count {
                self.current.1 += 1;
                return Ok(Some((shard, position)));
            }
            let Some(next) = self.pending.pop() else { return Ok(None) };
            self.current = (next, 0, self.shards.shard(next)?.len());
        }
    }
}

impl Iterator for ShardOrder {
    type Item = Result<(usize, usize), DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.waiting.len() < self.buffer {
            match self.pull() {
                Ok(Some(sample)) => self.waiting.push(sample),
                Ok(None) => break,
                Err(error) => {
                    self.pending.clear();
                    self.waiting.clear();
                    self.current = (0, 0, 0);
                    return Some(Err(error));
                }
            }
        }
        if self.waiting.is_empty() {
            return None;
        }
        let drawn = self.rng.below(self.waiting.len());
        Some(Ok(self.waiting.swap_remove(drawn)))
    }
}
