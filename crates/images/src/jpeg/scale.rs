//! Decoding to a fraction of the size, as by libjpeg's `scale_denom` and so Pillow's `draft`: a block becomes 4 × 4 or
//! 2 × 2 samples, or one, by a transform that drops high frequencies.

/// Samples on a side of a block in the file.
pub(super) const BLOCK: usize = 8;

/// Samples on a side of a block in the scaled image: 8, 4, 2 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scale(usize);

impl Scale {
    /// The full size.
    pub(super) const WHOLE: Self = Self(BLOCK);

    /// The smallest scale whose shorter side, rounded down, still has `at_least` samples.
    pub(super) fn for_shorter_side(width: u32, height: u32, at_least: u32) -> Self {
        let shorter = width.min(height);
        let parts = [8, 4, 2].into_iter().find(|parts| shorter / parts >= at_least.max(1));
        Self(BLOCK / parts.unwrap_or(1) as usize)
    }

    pub(super) fn samples(self) -> usize {
        self.0
    }

    /// A length of the image at this scale, rounded up.
    pub(super) fn of(self, length: usize) -> usize {
        (length * self.0).div_ceil(BLOCK)
    }

    /// Samples on a side of a block of a subsampled component. Like libjpeg, keeps it as much larger than other
    /// components' blocks as possible, so that it needs less upsampling. `factors` are the component's sampling factors
    /// across and down, `max` the largest ones of the frame.
    pub(super) fn of_component(self, factors: [usize; 2], max: [usize; 2]) -> usize {
        let mut samples = self.0;
        let doubled = |samples: usize| {
            factors.iter().zip(max).all(|(factor, max)| (max * self.0).is_multiple_of(factor * samples * 2))
        };
        while samples < BLOCK && doubled(samples) {
            samples *= 2;
        }
        samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shorter_side_decides() {
        let samples = |width, height, at_least| Scale::for_shorter_side(width, height, at_least).samples();
        assert_eq!(samples(4000, 3000, 448), 2);
        assert_eq!(samples(3584, 3584, 448), 1);
        assert_eq!(samples(3000, 1791, 448), 4);
        assert_eq!(samples(4000, 448, 448), 8);
        assert_eq!(samples(10, 10, 448), 8);
        assert_eq!(samples(7, 9, 0), 2);
    }

    #[test]
    fn subsampled_chroma_keeps_its_samples() {
        let half = Scale(4);
        assert_eq!(half.of_component([1, 1], [2, 2]), 8);
        assert_eq!(half.of_component([1, 1], [2, 1]), 4);
        assert_eq!(half.of_component([2, 2], [2, 2]), 4);
        assert_eq!(Scale(1).of_component([1, 1], [4, 4]), 4);
        assert_eq!(Scale::WHOLE.of_component([1, 1], [2, 2]), 8);
    }
}
