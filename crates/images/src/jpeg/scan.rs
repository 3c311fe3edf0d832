//! Decodes scans of entropy-coded blocks: one for all coefficients (sequential), or several that refine them
//! (progressive).

use super::Fault;
use super::bits::BitReader;
use super::frame::Frame;
use super::huffman::HuffmanTable;
use super::transform::{Block, ZIGZAG};

/// The tables defined so far, by number.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) dc: [Option<HuffmanTable>; 4],
    pub(super) ac: [Option<HuffmanTable>; 4],
    pub(super) steps: [Option<[u16; 64]>; 4],
    /// Units between restart markers, 0 without markers.
    pub(super) restart_interval: usize,
}

/// A component in a scan, with its Huffman tables.
struct Part {
    component: usize,
    dc: usize,
    ac: usize,
    /// DC coefficient of the last block; the next one is coded as the difference to it.
    prediction: i32,
}

/// The coefficients and bits that a scan codes.
#[derive(Clone, Copy)]
struct Selection {
    /// First and last coefficient in zigzag order.
    first: usize,
    last: usize,
    /// Whether the scan adds a bit to coefficients that earlier scans have started.
    refines: bool,
    /// The lowest coded bit.
    low: u32,
}

/// Decodes a scan whose data starts at `at`, and returns the position after it. Damage is an error, or, if `recovers`,
/// treated as libjpeg does.
pub(super) fn read(
    frame: &mut Frame,
    tables: &Tables,
    header: &[u8],
    data: &[u8],
    at: usize,
    recovers: bool,
) -> Result<usize, Fault> {
    let (parts, selection) = parse_header(frame, header)?;
    for part in &parts {
        let component = &mut frame.components[part.component];
        if component.steps.is_none() {
            component.steps = tables.steps[component.table];
            if component.steps.is_none() {
                return Fault::corrupt(format!("quantization table {} is missing", component.table));
            }
        }
    }
    if frame.progressive {
        for part in &parts {
            let known = &mut frame.components[part.component].known;
            known[selection.first..=selection.last].fill(Some(selection.low));
        }
    }
    let bits = BitReader::new(data, at);
    let mut scan = Scan { tables, selection, bits, parts, end_of_band_run: 0, recovers, is_exhausted: false };
    scan.read_units(frame, data)?;
    Ok(scan.bits.position())
}

fn parse_header(frame: &Frame, header: &[u8]) -> Result<(Vec<Part>, Selection), Fault> {
    let wrong = || Fault::corrupt("the scan header contradicts the standard");
    let Some((&count, rest)) = header.split_first() else { return wrong() };
    let count = usize::from(count);
    if rest.len() != count * 2 + 3 || count == 0 || count > frame.components.len() {
        return wrong();
    }
    let mut parts: Vec<Part> = Vec::with_capacity(count);
    for part in rest[..count * 2].chunks_exact(2) {
        let component = frame.components.iter().position(|component| component.id == part[0]);
        let (dc, ac) = (usize::from(part[1] >> 4), usize::from(part[1] & 15));
        match component {
            Some(component) if dc < 4 && ac < 4 && parts.iter().all(|other| other.component != component) => {
                parts.push(Part { component, dc, ac, prediction: 0 });
            }
            _ => return wrong(),
        }
    }
    let (first, last) = (usize::from(rest[count * 2]), usize::from(rest[count * 2 + 1]));
    let (high, low) = (rest[count * 2 + 2] >> 4, rest[count * 2 + 2] & 15);
    if !frame.progressive {
        // Some encoders write arbitrary values into the fields that only progressive images use.
        return Ok((parts, Selection { first: 0, last: 63, refines: false, low: 0 }));
    }
    let band = if first == 0 { last == 0 } else { first <= last && last < 64 && count == 1 };
    if !band || low > 13 || (high != 0 && high != low + 1) {
        return wrong();
    }
    Ok((parts, Selection { first, last, refines: high != 0, low: low.into() }))
}

struct Scan<'a> {
    tables: &'a Tables,
    selection: Selection,
    bits: BitReader<'a>,
    parts: Vec<Part>,
    /// Number of following blocks without further coefficients in this band.
    end_of_band_run: u32,
    recovers: bool,
    /// Whether the data up to the next marker is used up, when recovering.
    is_exhausted: bool,
}

impl<'a> Scan<'a> {
    /// Decodes all units, with the restart markers between them.
    fn read_units(&mut self, frame: &mut Frame, data: &'a [u8]) -> Result<(), Fault> {
        // A scan of one component codes single blocks, without the fill of a unit.
        let alone = self.parts.len() == 1;
        let (across, down) = if alone { frame.components[self.parts[0].component].own_blocks() } else { frame.units() };
        let interval = self.tables.restart_interval;
        for unit in 0..across * down {
            if interval > 0 && unit > 0 && unit % interval == 0 {
                self.restart(data, unit / interval - 1)?;
            }
            let (x, y) = (unit % across, unit / across);
            // libjpeg leaves the blocks of later units as they are: zero, so grey, in a sequential image.
            let is_exhausted = self.is_exhausted;
            for part in 0..self.parts.len() {
                let component = &frame.components[self.parts[part].component];
                let (h, v) = if alone { (1, 1) } else { (component.h, component.v) };
                for block in 0..h * v {
                    let (x, y) = (x * h + block % h, y * v + block / h);
                    if is_exhausted {
                        if !frame.progressive {
                            frame.components[self.parts[part].component].transform(&[0; 64], x, y);
                        }
                        continue;
                    }
                    let read = self.read_block(frame, part, x, y);
                    // The zeros after the end may form no code; report the end as the cause.
                    if self.bits.is_overrun() && self.recovers && self.bits.is_at_marker() {
                        self.is_exhausted = true;
                    } else if self.bits.is_overrun() {
                        return Fault::truncated(format!("the data ends in unit {unit} of {}", across * down));
                    }
                    read?;
                }
            }
        }
        Ok(())
    }

    /// Expects the `n`-th restart marker, and resets the decoder's state after it.
    fn restart(&mut self, data: &'a [u8], n: usize) -> Result<(), Fault> {
        let mut at = self.bits.position();
        let ends = || Fault::truncated(format!("the data ends before restart marker {n}"));
        let resumes_at = loop {
            let Some(marker) = next_marker(data, &mut at) else { return ends() };
            let ahead = (marker & 7).wrapping_sub(n as u8) & 7;
            match marker {
                0xd0..=0xd7 if ahead == 0 => break at + 2,
                0xd9 if !self.recovers => return ends(),
                _ if !self.recovers => {
                    let expected = 0xd0 + n % 8;
                    return Fault::corrupt(format!(
                        "expected restart marker {expected:02X}, found marker {marker:02X}"
                    ));
                }
                // The rules of libjpeg's `jpeg_resync_to_restart`: skip what is no marker, and the two markers before.
                0..0xc0 => at += 2,
                0xd0..=0xd7 if ahead >= 6 => at += 2,
                // Marker and data between were lost, or it belongs to what follows: nothing is left for this interval.
                0xd0..=0xd7 if ahead > 2 => break at + 2,
                _ => break at,
            }
        };
        self.is_exhausted &= resumes_at == at;
        self.bits = BitReader::new(data, resumes_at);
        self.end_of_band_run = 0;
        for part in &mut self.parts {
            part.prediction = 0;
        }
        Ok(())
    }

    fn read_block(&mut self, frame: &mut Frame, part: usize, x: usize, y: usize) -> Result<(), Fault> {
        let component = &mut frame.components[self.parts[part].component];
        if !frame.progressive {
            let mut block = [0; 64];
            self.dc(part, &mut block)?;
            self.ac(part, &mut block, false)?;
            component.transform(&block, x, y);
            return Ok(());
        }
        let block = component.accumulated(x, y);
        match (self.selection.first, self.selection.refines) {
            (0, false) => self.dc(part, block),
            (0, true) => {
                if self.bits.bit() {
                    block[0] |= 1 << self.selection.low;
                }
                Ok(())
            }
            (_, false) => self.ac(part, block, true),
            (_, true) => self.refine_ac(part, block),
        }
    }

    /// Reports damage that libjpeg decodes with a warning: an error unless this decoder does so too.
    fn damaged(&self, message: &str) -> Result<(), Fault> {
        if self.recovers { Ok(()) } else { Fault::corrupt(message) }
    }

    /// The next symbol; 0 for bits that are no code, as in libjpeg.
    fn symbol(&mut self, table: &HuffmanTable) -> Result<u8, Fault> {
        self.bits.refill();
        match table.decode(&mut self.bits) {
            Err(_) if self.recovers => Ok(0),
            symbol => symbol,
        }
    }

    /// The DC coefficient, as a difference to the last block's.
    fn dc(&mut self, part: usize, block: &mut Block) -> Result<(), Fault> {
        let table = table(&self.tables.dc, self.parts[part].dc)?;
        let length = self.symbol(table)?;
        if length > 15 {
            return Fault::corrupt("a DC coefficient is too long");
        }
        let part = &mut self.parts[part];
        let Some(sum) = part.prediction.checked_add(self.bits.signed(length.into())) else {
            return Fault::corrupt("the DC coefficients grow without bound");
        };
        part.prediction = sum;
        block[0] = part.prediction.wrapping_shl(self.selection.low) as i16;
        Ok(())
    }

    /// The AC coefficients, as runs of zeros and values.
    fn ac(&mut self, part: usize, block: &mut Block, is_progressive: bool) -> Result<(), Fault> {
        if self.end_of_band_run > 0 {
            self.end_of_band_run -= 1;
            return Ok(());
        }
        let table = table(&self.tables.ac, self.parts[part].ac)?;
        let mut k = self.selection.first.max(1);
        while k <= self.selection.last {
            let symbol = self.symbol(table)?;
            let (run, length) = (symbol >> 4, symbol & 15);
            k += usize::from(run);
            if length > 0 {
                if k > self.selection.last {
                    self.damaged(PAST_END)?;
                }
                let value = self.bits.signed(length.into());
                block[natural(k)] = (value << self.selection.low) as i16;
            } else if run < 15 {
                if is_progressive {
                    self.end_of_band_run = self.run_length(run) - 1;
                }
                return Ok(());
            }
            k += 1;
        }
        Ok(())
    }

    /// Decodes another bit of the AC coefficients: of those that are not zero, and of those that become ±1.
    fn refine_ac(&mut self, part: usize, block: &mut Block) -> Result<(), Fault> {
        let one = 1 << self.selection.low;
        let mut k = self.selection.first;
        if self.end_of_band_run == 0 {
            let table = table(&self.tables.ac, self.parts[part].ac)?;
            while k <= self.selection.last {
                let symbol = self.symbol(table)?;
                let (run, length) = (symbol >> 4, symbol & 15);
                if length > 1 {
                    self.damaged("a refined coefficient has more than one bit")?;
                }
                let value = match length {
                    0 if run < 15 => {
                        self.end_of_band_run = self.run_length(run);
                        break;
                    }
                    0 => 0,
                    _ => {
                        if self.bits.bit() {
                            one
                        } else {
                            -one
                        }
                    }
                };
                k = self.refine_nonzero(block, k, one, Some(run));
                if value != 0 {
                    if k > self.selection.last {
                        self.damaged(PAST_END)?;
                    }
                    block[natural(k)] = value;
                }
                k += 1;
            }
        }
        if self.end_of_band_run > 0 {
            self.refine_nonzero(block, k, one, None);
            self.end_of_band_run -= 1;
        }
        Ok(())
    }

    /// Reads a bit for each nonzero coefficient from `k` on, up to the end of the band, or to the zero that follows
    /// `zeros` other zeros. Returns where it stopped.
    fn refine_nonzero(&mut self, block: &mut Block, mut k: usize, one: i16, zeros: Option<u8>) -> usize {
        let mut left = zeros;
        while k <= self.selection.last {
            let coefficient = &mut block[usize::from(ZIGZAG[k])];
            if *coefficient != 0 {
                if self.bits.bit() && *coefficient & one == 0 {
                    *coefficient = coefficient.wrapping_add(if *coefficient > 0 { one } else { -one });
                }
            } else if let Some(left) = &mut left {
                if *left == 0 {
                    break;
                }
                *left -= 1;
            }
            k += 1;
        }
        k
    }

    /// Reads the number of blocks, including this one, whose band ends here.
    fn run_length(&mut self, bits: u8) -> u32 {
        self.bits.refill();
        (1 << bits) + self.bits.take(bits.into()) as u32
    }
}

const PAST_END: &str = "a run of zeros goes past the end of its block";

/// The index in natural order of a coefficient in zigzag order. Those after the last are the last, as in libjpeg's table.
fn natural(k: usize) -> usize {
    usize::from(ZIGZAG[k.min(63)])
}

/// Moves `at` to the next marker, and returns it. Other bytes are skipped, FF 00 and fill (FF FF) among them.
fn next_marker(data: &[u8], at: &mut usize) -> Option<u8> {
    let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff);
    *at += data.get(*at..)?.windows(2).position(is_marker)?;
    Some(data[*at + 1])
}

fn table(tables: &[Option<HuffmanTable>; 4], number: usize) -> Result<&HuffmanTable, Fault> {
    match &tables[number] {
        Some(table) => Ok(table),
        None => Fault::corrupt(format!("Huffman table {number} is missing")),
    }
}
