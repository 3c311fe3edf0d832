//! Vectorised loops whose results do not depend on the width of the processor's vectors.

/// Partial results kept side by side: as many as the widest vectors hold.
const LANES: usize = 16;

/// A loop over a piece of memory.
pub(super) trait Piece {
    type Output;

    /// Must be marked `#[inline(always)]`: code that is not inlined where [`vectorised`] calls it is compiled for the
    /// narrowest vectors alone.
    fn run(self) -> Self::Output;
}

/// The loop, compiled for each of the vector widths that processors have, and run in the widest that this one has.
#[inline(always)]
pub(super) fn vectorised<P: Piece>(piece: P) -> P::Output {
    struct Work<P>(P);

    impl<P: Piece> pulp::NullaryFnOnce for Work<P> {
        type Output = P::Output;

        #[inline(always)]
        fn call(self) -> P::Output {
            self.0.run()
        }
    }

    pulp::Arch::new().dispatch(Work(piece))
}

/// The sum of `f(i)` over `0..count`, always in the same order: sixteen sums side by side, then those by halves.
#[inline(always)]
pub(super) fn sum(count: usize, f: impl Fn(usize) -> f32) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let whole = count - count % LANES;
    for start in (0..whole).step_by(LANES) {
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum += f(start + lane);
        }
    }
    for at in whole..count {
        sums[at - whole] += f(at);
    }
    halve(sums, |a, b| a + b)
}

/// The largest of the values; −∞ of none. NaN is ignored.
#[inline(always)]
pub(super) fn max(values: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut largest = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for (largest, value) in largest.iter_mut().zip(chunk) {
            *largest = larger(*largest, *value);
        }
    }
    for (largest, value) in largest.iter_mut().zip(rest) {
        *largest = larger(*largest, *value);
    }
    halve(largest, larger)
}

#[inline(always)]
fn halve(mut lanes: [f32; LANES], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut count = LANES;
    while count > 1 {
        count /= 2;
        for lane in 0..count {
            lanes[lane] = f(lanes[lane], lanes[lane + count]);
        }
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_maxima_of_any_length() {
        for count in [0, 1, 15, 16, 17, 50, 1000] {
            let values: Vec<f32> = (0..count).map(|at| ((at * 7919) % 101) as f32 - 50.0).collect();
            assert_eq!(sum(count, |at| values[at]), values.iter().sum::<f32>());
            assert_eq!(max(&values), values.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        }
    }

    #[test]
    fn the_width_of_the_vectors_changes_nothing() {
        let values: Vec<f32> = (0..1003).map(|at| (at as f32 * 0.37).sin()).collect();
        struct Sum<'a>(&'a [f32]);

        impl Piece for Sum<'_> {
            type Output = f32;

            #[inline(always)]
            fn run(self) -> f32 {
                sum(self.0.len(), |at| self.0[at])
            }
        }

        assert_eq!(vectorised(Sum(&values)).to_bits(), Sum(&values).run().to_bits());
    }
}
