//! The frame header, its components, and their planes of samples.

use super::Fault;
use super::reduced;
use super::scale::{BLOCK, Scale};
use super::transform::{self, Block};

/// The image that a start-of-frame segment declares.
pub(super) struct Frame {
    /// Size in the file, before scaling.
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) scale: Scale,
    pub(super) progressive: bool,
    pub(super) components: Vec<Component>,
    /// The largest sampling factors.
    pub(super) max_h: usize,
    pub(super) max_v: usize,
}

pub(super) struct Component {
    pub(super) id: u8,
    /// Sampling factors: blocks of this component, across and down, in a unit that all components share.
    pub(super) h: usize,
    pub(super) v: usize,
    /// Number of the quantization table.
    pub(super) table: usize,
    /// Quantization steps, fixed at the first scan: the table may be redefined later for other components.
    pub(super) steps: Option<[u16; 64]>,
    /// The lowest bit that scans of a progressive image have coded of each coefficient, in zigzag order; `None` before the
    /// first.
    pub(super) known: [Option<u32>; 64],
    /// Width and height in samples, before scaling, without fill.
    whole: [usize; 2],
    /// Samples on a side of a decoded block.
    pub(super) samples: usize,
    /// Size in decoded samples, without fill.
    pub(super) width: usize,
    pub(super) height: usize,
    /// Blocks in a row and in a column, including fill up to whole units.
    pub(super) blocks_across: usize,
    pub(super) blocks_down: usize,
    /// Coefficients of all blocks of a progressive image.
    coefficients: Vec<i16>,
    /// Decoded samples of all blocks, row-major.
    pub(super) plane: Vec<u8>,
}

impl Frame {
    /// Parses the segment, allocating nothing of the image's size yet. `shorter_side` is as in
    /// [`DecodeOptions`](crate::DecodeOptions).
    pub(super) fn parse(segment: &[u8], progressive: bool, shorter_side: Option<u32>) -> Result<Self, Fault> {
        let &[precision, h1, h0, w1, w0, count, ref components @ ..] = segment else {
            return Fault::corrupt("the frame header is too short");
        };
        if precision != 8 {
            return Err(Fault::Unsupported("other than 8 bits"));
        }
        let (width, height) = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
        if width == 0 || height == 0 {
            return Fault::corrupt(format!("the frame header says {width}×{height} pixels"));
        }
        if components.len() != usize::from(count) * 3 {
            return Fault::corrupt("the frame header's length does not match its number of components");
        }
        if !matches!(count, 1 | 3 | 4) {
            return Err(Fault::Unsupported("neither 1, 3 nor 4 colour components"));
        }
        let factors = |packed: u8| (usize::from(packed >> 4), usize::from(packed & 15));
        let all: Vec<_> = components.chunks_exact(3).map(|c| (c[0], factors(c[1]), usize::from(c[2]))).collect();
        if all.iter().any(|(_, (h, v), table)| !(1..=4).contains(h) || !(1..=4).contains(v) || *table > 3) {
            return Fault::corrupt("the frame header has a sampling factor or table that the standard does not allow");
        }
        let max_h = all.iter().map(|(_, (h, _), _)| *h).max().unwrap_or(1);
        let max_v = all.iter().map(|(_, (_, v), _)| *v).max().unwrap_or(1);
        let (width, height) = (u32::from(width), u32::from(height));
        let scale = shorter_side.map_or(Scale::WHOLE, |enough| Scale::for_shorter_side(width, height, enough));
        let mut frame = Self { width, height, scale, progressive, components: Vec::new(), max_h, max_v };
        let (units_across, units_down) = frame.units();
        for (id, (h, v), table) in all {
            let samples = scale.of_component([h, v], [max_h, max_v]);
            let length = |whole: u32, factor: usize, max: usize| {
                [BLOCK, samples].map(|samples| (whole as usize * factor * samples).div_ceil(max * BLOCK))
            };
            let ([whole_width, width], [whole_height, height]) = (length(width, h, max_h), length(height, v, max_v));
            frame.components.push(Component {
                id,
                h,
                v,
                table,
                steps: None,
                known: [None; 64],
                whole: [whole_width, whole_height],
                samples,
                width,
                height,
                blocks_across: units_across * h,
                blocks_down: units_down * v,
                coefficients: Vec::new(),
                plane: Vec::new(),
            });
        }
        Ok(frame)
    }

    /// Units in a row and in a column. A unit (MCU) is the smallest area that has whole blocks of each component.
    pub(super) fn units(&self) -> (usize, usize) {
        let units = |length: u32, max: usize| (length as usize).div_ceil(BLOCK * max);
        (units(self.width, self.max_h), units(self.height, self.max_v))
    }

    /// Allocates planes and coefficients, once the size is known to be within the limits.
    pub(super) fn allocate(&mut self) {
        for component in &mut self.components {
            let blocks = component.blocks_across * component.blocks_down;
            component.plane = vec![0; blocks * component.samples * component.samples];
            if self.progressive {
                // Plain integers rather than blocks: `vec![0; n]` gets zeroed pages that cost nothing until written to.
                component.coefficients = vec![0; blocks * 64];
            }
        }
    }

    /// Whether libjpeg would smooth this progressive image: it lacks bits of the first coefficients, but no DC coefficient.
    pub(super) fn would_be_smoothed(&self) -> bool {
        let lacks = |known: &[Option<u32>]| known.iter().any(|low| *low != Some(0));
        let mut components = self.components.iter();
        self.progressive
            && self.components.iter().all(|component| component.known[0].is_some())
            && components.any(|component| lacks(&component.known[1..10]))
    }

    /// Makes a component without any data grey, as libjpeg does.
    pub(super) fn fill_missing_components(&mut self) {
        for component in self.components.iter_mut().filter(|component| component.steps.is_none()) {
            component.steps = Some([0; 64]);
            component.plane.fill(128);
        }
    }

    /// Transforms the coefficients that progressive scans have accumulated.
    pub(super) fn transform_accumulated(&mut self) {
        for component in &mut self.components {
            let coefficients = std::mem::take(&mut component.coefficients);
            for (i, block) in coefficients.as_chunks::<64>().0.iter().enumerate() {
                component.transform(block, i % component.blocks_across, i / component.blocks_across);
            }
        }
    }
}

impl Component {
    /// Blocks in a row and in a column without fill: those in a scan of this component alone.
    pub(super) fn own_blocks(&self) -> (usize, usize) {
        let [width, height] = self.whole;
        (width.div_ceil(BLOCK), height.div_ceil(BLOCK))
    }

    /// The accumulated coefficients of a block.
    pub(super) fn accumulated(&mut self, x: usize, y: usize) -> &mut Block {
        &mut self.coefficients.as_chunks_mut::<64>().0[y * self.blocks_across + x]
    }

    /// Writes a block's samples into the plane.
    pub(super) fn transform(&mut self, block: &Block, x: usize, y: usize) {
        let steps = self.steps.as_ref().expect("a scan of the component has set its steps");
        let stride = self.stride();
        let out = &mut self.plane[(y * stride + x) * self.samples..];
        match self.samples {
            BLOCK => transform::inverse(block, steps, out, stride),
            samples => reduced::inverse(samples, block, steps, out, stride),
        }
    }

    /// Samples in a row of the plane.
    pub(super) fn stride(&self) -> usize {
        self.blocks_across * self.samples
    }

    /// The samples of a row, without fill.
    pub(super) fn row(&self, y: usize) -> &[u8] {
        &self.plane[y * self.stride()..][..self.width]
    }
}
