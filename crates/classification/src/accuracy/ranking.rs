//! Ranking of classes by score.

use super::AccuracyError;

/// Returns the number of classes ranked before `label`: those with a higher score, and those with an equal score and a lower index.
///
/// Rank 0 is the prediction. Breaking ties by the index makes every rank a pure function of the scores, so that a model
/// that scores all classes equally is right on one class of C instead of on all of them.
///
/// # Errors
/// [`AccuracyError::NotANumber`] if a score is NaN; [`AccuracyError::Label`] if `label`
/// is out of range.
pub fn rank(scores: &[f32], label: usize) -> Result<usize, AccuracyError> {
    check(scores)?;
    let own = *scores.get(label).ok_or(AccuracyError::Label { label, classes: scores.len() })?;
    let before = scores.iter().enumerate().filter(|&(class, &score)| score > own || (score == own && class < label));
    Ok(before.count())
}

/// Returns the `k` classes with the highest scores, best first, equal scores by lower index; all of them if there are fewer.
///
/// # Errors
/// [`AccuracyError::NotANumber`] if a score is NaN.
pub fn top_k(scores: &[f32], k: usize) -> Result<Vec<usize>, AccuracyError> {
    check(scores)?;
    let before = |a: &usize, b: &usize| {
        // NaN was refused, so that the scores are comparable; `total_cmp` would order −0 before 0.
        let descending = scores[*b].partial_cmp(&scores[*a]);
        descending.unwrap_or(std::cmp::Ordering::Equal).then(a.cmp(b))
    };
    let mut classes: Vec<usize> = (0..scores.len()).collect();
    let k = k.min(classes.len());
    if k > 0 && k < classes.len() {
        classes.select_nth_unstable_by(k - 1, before);
    }
    classes.truncate(k);
    classes.sort_unstable_by(before);
    Ok(classes)
}

fn check(scores: &[f32]) -> Result<(), AccuracyError> {
    match scores.iter().position(|score| score.is_nan()) {
        Some(class) => Err(AccuracyError::NotANumber { class }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use proptest::prelude::*;

    use super::*;

    /// Reference implementation: sorts the classes by descending score, stably, so that ties keep the index order.
    fn order(scores: &[f32]) -> Vec<usize> {
        let mut classes: Vec<usize> = (0..scores.len()).collect();
        classes.sort_by(|&a, &b| scores[b].partial_cmp(&scores[a]).unwrap());
        classes
    }

    /// Scores with many ties, zeros of both signs and infinities.
    fn scores() -> impl Strategy<Value = Vec<f32>> {
        let score = prop_oneof![
            (-3i8..3).prop_map(f32::from),
            Just(-0.0),
            Just(f32::INFINITY),
            Just(f32::NEG_INFINITY),
            -1.0f32..1.0,
        ];
        prop::collection::vec(score, 1..12)
    }

    proptest! {
        #[test]
        fn ranks_are_positions_in_the_stable_order(scores in scores()) {
            for (position, &class) in order(&scores).iter().enumerate() {
                prop_assert_eq!(rank(&scores, class).unwrap(), position);
            }
        }

        #[test]
        fn the_top_k_is_the_head_of_the_stable_order(scores in scores(), k in 0usize..15) {
            let order = order(&scores);
            prop_assert_eq!(top_k(&scores, k).unwrap(), &order[..k.min(order.len())]);
        }

        #[test]
        fn a_nan_anywhere_is_refused(mut scores in scores(), at in any::<prop::sample::Index>()) {
            let class = at.index(scores.len());
            scores[class] = f32::NAN;
            prop_assert_eq!(rank(&scores, 0), Err(AccuracyError::NotANumber { class }));
            prop_assert_eq!(top_k(&scores, 1), Err(AccuracyError::NotANumber { class }));
        }
    }

    #[test]
    fn a_label_out_of_range_is_refused() {
        let error = rank(&[0.0, 1.0], 2).unwrap_err();
        assert_eq!(error, AccuracyError::Label { label: 2, classes: 2 });
    }
}
