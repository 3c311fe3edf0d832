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

/// Decodes a scan whose data starts at `at`, and returns the position after it.
pub(super) fn read(frame: &mut Frame, tables: &Tables, header: &[u8], data: &[u8], at: usize) -> Result<usize, Fault> {
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
    let mut scan = Scan { tables, selection, bits: BitReader::new(data, at), parts, end_of_band_run: 0 };
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
            for part in 0..self.parts.len() {
                let component = &frame.components[self.parts[part].component];
                let (h, v) = if alone { (1, 1) } else { (component.h, component.v) };
                for block in 0..h * v {
                    let read = self.read_block(frame, part, x * h + block % h, y * v + block / h);
                    // The zeros after the end may form no code; report the end as the cause.
                    if self.bits.is_overrun() {
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
        // Bytes between data and marker are skipped, FF 00 and fill (FF FF) among them.
        while let Some([first, second]) = data.get(at..at + 2) {
            if *first == 0xff && !matches!(second, 0 | 0xff) {
                break;
            }
            at += 1;
        }
        let expected = 0xd0 + (n % 8) as u8;
        match data.get(at..at + 2) {
            Some(marker) if marker[1] == expected => {}
            Some([_, 0xd9]) | None => return Fault::truncated(format!("the data ends before restart marker {n}")),
            Some(marker) => {
                return Fault::corrupt(format!(
                    "expected restart marker {expected:02X}, found marker {:02X}",
                    marker[1]
                ));
            }
        }
        self.bits = BitReader::new(data, at + 2);
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
            self.ac(part, &mut block)?;
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
            (_, false) => self.ac(part, block),
            (_, true) => self.refine_ac(part, block),
        }
    }

    /// The DC coefficient, as a difference to the last block's.
    fn dc(&mut self, part: usize, block: &mut Block) -> Result<(), Fault> {
        let table = table(&self.tables.dc, self.parts[part].dc)?;
        self.bits.refill();
        let length = table.decode(&mut self.bits)?;
        if length > 15 {
            return Fault::corrupt("a DC coefficient is too long");
        }
        let part = &mut self.parts[part];
        part.prediction = part.prediction.wrapping_add(self.bits.signed(length.into()));
        block[0] = part.prediction.wrapping_shl(self.selection.low) as i16;
        Ok(())
    }

    /// The AC coefficients, as runs of zeros and values.
    fn ac(&mut self, part: usize, block: &mut Block) -> Result<(), Fault> {
        if self.end_of_band_run > 0 {
            self.end_of_band_run -= 1;
            return Ok(());
        }
        let table = table(&self.tables.ac, self.parts[part].ac)?;
        let mut k = self.selection.first.max(1);
        while k <= self.selection.last {
            self.bits.refill();
            let symbol = table.decode(&mut self.bits)?;
            let (run, length) = (symbol >> 4, symbol & 15);
            k += usize::from(run);
            if length > 0 {
                if k > self.selection.last {
                    return Fault::corrupt("a run of zeros goes past the end of its block");
                }
                let value = self.bits.signed(length.into());
                block[usize::from(ZIGZAG[k])] = (value << self.selection.low) as i16;
            } else if run < 15 {
                self.end_of_band_run = self.run_length(run) - 1;
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
                self.bits.refill();
                let symbol = table.decode(&mut self.bits)?;
                let (run, length) = (symbol >> 4, symbol & 15);
                let value = match length {
                    0 if run < 15 => {
                        self.end_of_band_run = self.run_length(run);
                        break;
                    }
                    0 => 0,
                    1 => {
                        if self.bits.bit() {
                            one
                        } else {
                            -one
                        }
                    }
                    _ => return Fault::corrupt("a refined coefficient has more than one bit"),
                };
                k = self.refine_nonzero(block, k, one, Some(run));
                if value != 0 {
                    if k > self.selection.last {
                        return Fault::corrupt("a run of zeros goes past the end of its block");
                    }
                    block[usize::from(ZIGZAG[k])] = value;
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

fn table(tables: &[Option<HuffmanTable>; 4], number: usize) -> Result<&HuffmanTable, Fault> {
    match &tables[number] {
        Some(table) => Ok(table),
        None => Fault::corrupt(format!("Huffman table {number} is missing")),
    }
}
