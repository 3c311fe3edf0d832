//! The frame: its components and their planes of samples.

use super::fault::Fault;
use super::reduced;
use super::scale::{BLOCK, Scale};
use super::transform::{self, Block};

/// The image as its start-of-frame segment announces it.
pub(super) struct Frame {
    /// As the file has it.
    pub(super) width: u32,
    pub(super) height: u32,
    /// What of it is decoded.
    pub(super) scale: Scale,
    pub(super) progressive: bool,
    pub(super) components: Vec<Component>,
    /// The largest sampling factors.
    pub(super) max_h: usize,
    pub(super) max_v: usize,
}

/// One colour component.
pub(super) struct Component {
    pub(super) id: u8,
    /// Sampling factors: blocks of this component in a unit that all components share.
    pub(super) h: usize,
    pub(super) v: usize,
    /// Which quantisation table is its.
    pub(super) table: usize,
    /// The steps, from the first scan on; the table may be redefined later, for others.
    pub(super) steps: Option<[u16; 64]>,
    /// Samples that belong to the image, at the file's size.
    whole: [usize; 2],
    /// Samples of a block's side that are decoded.
    pub(super) samples: usize,
    /// Decoded samples that belong to the image.
    pub(super) width: usize,
    pub(super) height: usize,
    /// Blocks in a row and in a column, with those that fill the last unit.
    pub(super) blocks_across: usize,
    pub(super) blocks_down: usize,
    /// Coefficients of all blocks, if scans refine them.
    coefficients: Vec<i16>,
    /// Samples of all blocks.
    pub(super) plane: Vec<u8>,
}

impl Frame {
    /// Parses the segment; nothing of the image's size is allocated yet. `shorter_side`: samples that are enough for it.
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
            return Fault::corrupt("the frame header's length does not fit its number of components");
        }
        if !matches!(count, 1 | 3 | 4) {
            return Err(Fault::Unsupported("neither 1, 3 nor 4 colour components"));
        }
        let factors = |packed: u8| (usize::from(packed >> 4), usize::from(packed & 15));
        let all: Vec<_> = components.chunks_exact(3).map(|c| (c[0], factors(c[1]), usize::from(c[2]))).collect();
        if all.iter().any(|(_, (h, v), table)| !(1..=4).contains(h) || !(1..=4).contains(v) || *table > 3) {
            return Fault::corrupt("the frame header has a sampling factor or table outside of the standard");
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

    /// Units in a row and in a column; a unit is the smallest part that has whole blocks of each component.
    pub(super) fn units(&self) -> (usize, usize) {
        let units = |length: u32, max: usize| (length as usize).div_ceil(BLOCK * max);
        (units(self.width, self.max_h), units(self.height, self.max_v))
    }

    /// Makes room for the pixels, once the size is known to be allowed.
    pub(super) fn allocate(&mut self) {
        for component in &mut self.components {
            let blocks = component.blocks_across * component.blocks_down;
            component.plane = vec![0; blocks * component.samples * component.samples];
            if self.progressive {
                // Plain numbers, since memory for zeros is free until it is written to, which for arrays it is at once.
                component.coefficients = vec![0; blocks * 64];
            }
        }
    }

    /// Transforms what the scans have gathered.
    pub(super) fn transform_gathered(&mut self) {
        for component in &mut self.components {
            let coefficients = std::mem::take(&mut component.coefficients);
            for (i, block) in coefficients.as_chunks::<64>().0.iter().enumerate() {
                component.transform(block, i % component.blocks_across, i / component.blocks_across);
            }
        }
    }
}

impl Component {
    /// Blocks in a row and in a column that hold samples of the image: those of a scan of this component alone.
    pub(super) fn own_blocks(&self) -> (usize, usize) {
        let [width, height] = self.whole;
        (width.div_ceil(BLOCK), height.div_ceil(BLOCK))
    }

    /// The coefficients gathered for a block.
    pub(super) fn gathered(&mut self, x: usize, y: usize) -> &mut Block {
        &mut self.coefficients.as_chunks_mut::<64>().0[y * self.blocks_across + x]
    }

    /// Puts a block's samples into the plane.
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

    /// The samples of a row that belong to the image.
    pub(super) fn row(&self, y: usize) -> &[u8] {
        &self.plane[y * self.stride()..][..self.width]
    }
}
