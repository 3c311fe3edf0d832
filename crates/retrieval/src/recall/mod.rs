//! Recall at K in both directions over the full gallery.

mod error;
mod kernel;
mod ranks;

use serde::{Deserialize, Serialize};

pub use error::RecallError;
pub use ranks::{Ranks, Rows, ranks};

/// Recall in one direction, as fractions of the queries.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recalls {
    /// R@1: the share of queries whose best right candidate has rank 1.
    pub r1: f64,
    /// R@5: rank 5 or better.
    pub r5: f64,
    /// R@10: rank 10 or better.
    pub r10: f64,
    /// Median rank; for an even number of queries the mean of the middle two.
    pub median_rank: f64,
}

impl Recalls {
    /// Computes recall from the ranks of at least one query.
    pub fn of(ranks: &[u32]) -> Self {
        let within = |k: u32| ranks.iter().filter(|&&rank| rank <= k).count() as f64 / ranks.len().max(1) as f64;
        Self { r1: within(1), r5: within(5), r10: within(10), median_rank: median(ranks) }
    }
}

fn median(ranks: &[u32]) -> f64 {
    let mut sorted = ranks.to_vec();
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => f64::from(*sorted.select_nth_unstable(middle).1),
        _ => {
            let (below, &mut above, _) = sorted.select_nth_unstable(middle);
            let below = below.iter().copied().max().unwrap_or(above);
            f64::midpoint(f64::from(below), f64::from(above))
        }
    }
}

/// Recall in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct Evaluation {
    pub n_images: usize,
    pub n_texts: usize,
    /// Texts retrieved by images: the best of an image's texts counts.
    pub image_to_text: Recalls,
    /// Images retrieved by texts.
    pub text_to_image: Recalls,
    /// Mean of the six recalls.
    pub mean_recall: f64,
}

impl Evaluation {
    /// Computes recall from the ranks of all queries.
    pub fn of(ranks: &Ranks) -> Self {
        let image_to_text = Recalls::of(&ranks.image_to_text);
        let text_to_image = Recalls::of(&ranks.text_to_image);
        let sum: f64 = [image_to_text, text_to_image].iter().map(|recalls| recalls.r1 + recalls.r5 + recalls.r10).sum();
        Self {
            n_images: ranks.image_to_text.len(),
            n_texts: ranks.text_to_image.len(),
            image_to_text,
            text_to_image,
            mean_recall: sum / 6.0,
        }
    }
}

#[cfg(test)]
mod tests;
