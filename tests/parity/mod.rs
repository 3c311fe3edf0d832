//! Comparison of the command with PyTorch on the same files: tokens, pixels, embeddings, merged models.

mod embeddings;
mod merged;
mod round_trip;

use std::path::Path;

/// Tolerance of an embedding's values.
const EMBEDDING: f32 = 5e-6;

/// Compares two tensors of files: shapes must be equal, values within `tolerance`.
fn assert_close(found: (&Path, &str), expected: (&Path, &str), tolerance: f32) {
    let (shape, values) = crate::support::tensor(found.0, found.1);
    let (expected_shape, expected_values) = crate::support::tensor(expected.0, expected.1);
    assert_eq!(shape, expected_shape, "{}", expected.1);
    let pairs = values.iter().zip(&expected_values);
    let apart = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    // With `--nocapture` this prints the figures of docs/parity.md.
    eprintln!("{}: largest difference {apart:.1e}", expected.1);
    assert!(apart <= tolerance, "{} differs by {apart:e}, more than {tolerance:e}", expected.1);
}
