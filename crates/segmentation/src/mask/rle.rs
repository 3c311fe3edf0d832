//! COCO's run lengths: column by column, starting with the pixels outside.

use super::Mask;

/// Mask as run lengths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rle {
    width: usize,
    height: usize,
    /// Pixels outside, inside, outside, … column by column; the sum is the number of all pixels.
    counts: Vec<u32>,
}

/// Why run lengths are invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are named in the message")]
pub enum RleError {
    /// The run lengths do not add up to the number of pixels.
    #[error("the run lengths add up to {found} pixels, expected {width} × {height} = {expected}")]
    Length { width: usize, height: usize, expected: u64, found: u64 },
    /// A run has a negative length.
    #[error("run {index} has the length {found}: expected a whole number from 0")]
    Run { index: usize, found: i64 },
    /// A character is outside the range of compressed run lengths.
    #[error("character {index} of the compressed run lengths is {found:?}: expected one from '0' to 'o'")]
    Character { index: usize, found: char },
    /// The last number is incomplete.
    #[error("the compressed run lengths are truncated")]
    CutOff,
    /// The mask exceeds the size limit.
    #[error("a mask of {width} × {height} pixels is refused: expected at most {most} pixels")]
    TooLarge { width: usize, height: usize, most: usize },
}

/// Maximum number of pixels of a mask: limits what a hostile file can allocate.
const MOST: usize = 1 << 28;

impl Rle {
    /// Encodes a mask.
    pub fn of(mask: &Mask) -> Self {
        let (width, height) = (mask.width(), mask.height());
        let mut counts = Vec::new();
        let (mut run, mut inside) = (0, false);
        for column in 0..width {
            for row in 0..height {
                if mask.bits()[row * width + column] != inside {
                    counts.push(run);
                    (run, inside) = (0, !inside);
                }
                run += 1;
            }
        }
        counts.push(run);
        Self { width, height, counts }
    }

    /// Encodes runs, column by column: whether each is inside, and its length. Consecutive runs may be of the same kind.
    pub(crate) fn of_runs(width: usize, height: usize, runs: impl Iterator<Item = (bool, u32)>) -> Self {
        let mut counts = Vec::new();
        let (mut run, mut inside) = (0, false);
        for (is_inside, length) in runs.filter(|(_, length)| *length > 0) {
            if is_inside != inside {
                counts.push(run);
                (run, inside) = (0, is_inside);
            }
            run += length;
        }
        counts.push(run);
        Self { width, height, counts }
    }

    /// Returns a mask of all pixels of an image.
    pub(crate) fn whole(width: usize, height: usize) -> Self {
        Self::of_runs(width, height, std::iter::once((true, (width * height) as u32)))
    }

    /// Iterates over the pixels inside, as ranges of positions counted column by column.
    pub(crate) fn inside(&self) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
        let mut start = 0;
        self.counts.iter().enumerate().filter_map(move |(index, &count)| {
            let range = start..start + count as usize;
            start = range.end;
            (index % 2 == 1 && !range.is_empty()).then_some(range)
        })
    }

    /// Returns bytes that identify the mask: its size and runs.
    pub(crate) fn key(&self) -> impl Iterator<Item = u8> + '_ {
        let sizes = [self.width as u64, self.height as u64].into_iter().flat_map(u64::to_le_bytes);
        sizes.chain(self.inside().flat_map(|range| [range.start as u64, range.end as u64]).flat_map(u64::to_le_bytes))
    }

    /// Whether the mask has no pixels.
    pub fn is_empty(&self) -> bool {
        self.inside().next().is_none()
    }

    /// Creates a mask from plain run lengths.
    ///
    /// # Errors
    /// [`RleError`] if they do not add up to `width · height`.
    pub fn new(width: usize, height: usize, counts: Vec<u32>) -> Result<Self, RleError> {
        let pixels = width.checked_mul(height).filter(|pixels| *pixels <= MOST);
        let Some(pixels) = pixels else { return Err(RleError::TooLarge { width, height, most: MOST }) };
        let (expected, found) = (pixels as u64, counts.iter().map(|&count| u64::from(count)).sum());
        if expected != found {
            return Err(RleError::Length { width, height, expected, found });
        }
        Ok(Self { width, height, counts })
    }

    /// Decodes COCO's compressed run lengths: five bits per character, signed, each number from the third on minus the last but
    /// one.
    ///
    /// # Errors
    /// [`RleError`] for invalid characters or numbers, and for another number of pixels.
    pub fn from_compressed(width: usize, height: usize, text: &str) -> Result<Self, RleError> {
        let mut numbers: Vec<u32> = Vec::new();
        let (mut value, mut shift) = (0_i64, 0_u32);
        for (index, found) in text.chars().enumerate() {
            let bits = match found {
                '0'..='o' => i64::from(found as u32 - '0' as u32),
                _ => return Err(RleError::Character { index, found }),
            };
            // Twelve characters hold more than any mask's pixels.
            if shift > 55 {
                return Err(RleError::Run { index: numbers.len(), found: value });
            }
            value |= (bits & 0x1f) << shift;
            shift += 5;
            if bits & 0x20 != 0 {
                continue;
            }
            if bits & 0x10 != 0 {
                value |= -1 << shift;
            }
            // A number has at most 60 bits, so that the sum does not overflow.
            if numbers.len() > 2 {
                value += i64::from(numbers[numbers.len() - 2]);
            }
            let index = numbers.len();
            numbers.push(u32::try_from(value).map_err(|_| RleError::Run { index, found: value })?);
            (value, shift) = (0, 0);
        }
        if shift != 0 {
            return Err(RleError::CutOff);
        }
        Self::new(width, height, numbers)
    }

    /// Compresses the run lengths in COCO's format.
    pub fn to_compressed(&self) -> String {
        let mut text = String::new();
        for (index, &count) in self.counts.iter().enumerate() {
            let before = if index > 2 { i64::from(self.counts[index - 2]) } else { 0 };
            let mut value = i64::from(count) - before;
            loop {
                let bits = (value & 0x1f) as u8;
                value >>= 5;
                let is_last = if bits & 0x10 != 0 { value == -1 } else { value == 0 };
                text.push(char::from(bits + if is_last { 0 } else { 0x20 } + b'0'));
                if is_last {
                    break;
                }
            }
        }
        text
    }

    /// Returns the width of the image.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns the height of the image.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Returns the run lengths, starting with the pixels outside.
    pub fn counts(&self) -> &[u32] {
        &self.counts
    }

    /// Returns the number of pixels inside.
    pub fn area(&self) -> usize {
        self.counts.iter().skip(1).step_by(2).map(|&count| count as usize).sum()
    }

    /// Decodes the mask.
    pub fn decode(&self) -> Mask {
        let mut bits = vec![false; self.width * self.height];
        let mut at = 0;
        for (index, &count) in self.counts.iter().enumerate() {
            let end = at + count as usize;
            if index % 2 == 1 {
                for pixel in at..end {
                    bits[pixel % self.height * self.width + pixel / self.height] = true;
                }
            }
            at = end;
        }
        Mask { width: self.width, height: self.height, bits }
    }
}
