//! Search: the images whose embeddings are nearest to a query.

use std::cmp::Ordering;

use rayon::prelude::*;
use serde::Serialize;

use super::{Index, IndexError};

/// Search result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hit {
    /// Counted from 1.
    pub rank: usize,
    /// Relative to the index's image folder.
    pub path: String,
    /// Cosine similarity of the image and the query.
    pub score: f32,
}

impl Index {
    /// Returns the `k` images whose embeddings have the highest inner product with a query's, best first, equal ones in byte order
    /// of their paths. The search is exhaustive.
    ///
    /// # Shapes
    /// `query`: `[embed_dim]`, L2-normalised
    ///
    /// # Errors
    /// [`IndexError::Empty`] without images, [`IndexError::Dim`] for a query of another length.
    pub fn search(&self, query: &[f32], k: usize) -> Result<Vec<Hit>, IndexError> {
        if self.is_empty() {
            return Err(IndexError::Empty { path: self.dir.clone() });
        }
        if query.len() != self.manifest.embed_dim {
            return Err(IndexError::Dim { expected: self.manifest.embed_dim, found: query.len() });
        }
        let mut scored: Vec<(f32, &str)> = self
            .segments
            .par_iter()
            .flat_map_iter(|segment| {
                let mut row = vec![0.0; query.len()];
                segment.names.iter().enumerate().map(move |(index, name)| {
                    segment.row(index, &mut row);
                    let score = row.iter().zip(query).fold(0.0, |sum: f32, (a, b)| sum + a * b);
                    (score, name.as_str())
                })
            })
            .collect();
        let best_first = |a: &(f32, &str), b: &(f32, &str)| -> Ordering { b.0.total_cmp(&a.0).then(a.1.cmp(b.1)) };
        if k < scored.len() {
            scored.select_nth_unstable_by(k, best_first);
            scored.truncate(k);
        }
        scored.sort_unstable_by(best_first);
        let hit = |(place, (score, name)): (usize, (f32, &str))| Hit { rank: place + 1, path: name.to_owned(), score };
        Ok(scored.into_iter().enumerate().map(hit).collect())
    }
}
