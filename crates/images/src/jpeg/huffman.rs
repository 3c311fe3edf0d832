//! Huffman tables: from a DHT segment to symbols.

use super::Fault;
use super::bits::BitReader;

/// Longest code in the direct lookup table.
const FAST_BITS: u32 = 9;

/// Longest code, in bits.
const MAX_BITS: usize = 16;

/// A canonical Huffman table: the codes of each length are consecutive numbers, in the order of the symbols.
pub(super) struct HuffmanTable {
    symbols: Vec<u8>,
    /// Length and symbol of the code in the next [`FAST_BITS`] bits; length 0 if the code is longer.
    fast: Vec<(u8, u8)>,
    /// By length, the number after the last code, shifted to [`MAX_BITS`] bits.
    end: [u32; MAX_BITS + 1],
    /// By length, the difference between a symbol's index and its code.
    offset: [i32; MAX_BITS + 1],
}

impl HuffmanTable {
    /// Builds the table from the number of codes of each length, and their symbols.
    pub(super) fn new(counts: &[u8; MAX_BITS], symbols: &[u8]) -> Result<Self, Fault> {
        let mut table =
            Self { symbols: symbols.to_vec(), fast: vec![(0, 0); 1 << FAST_BITS], end: [0; 17], offset: [0; 17] };
        let mut code = 0u32;
        let mut index = 0usize;
        for (length, count) in (1..=MAX_BITS).zip(counts) {
            table.offset[length] = index as i32 - code as i32;
            for symbol in &symbols[index..index + usize::from(*count)] {
                let free = FAST_BITS.saturating_sub(length as u32);
                if length as u32 <= FAST_BITS {
                    let first = (code as usize) << free;
                    // Too many codes for a length are detected below.
                    for entry in table.fast.iter_mut().skip(first).take(1 << free) {
                        *entry = (length as u8, *symbol);
                    }
                }
                code += 1;
            }
            if code > 1 << length {
                return Fault::corrupt("a Huffman table has more codes of a length than can exist");
            }
            index += usize::from(*count);
            table.end[length] = code << (MAX_BITS - length);
            code <<= 1;
        }
        Ok(table)
    }

    /// Takes a code, of at least 17 available bits, and returns its symbol. Bits that are no code are an error; 17 of
    /// them are taken, as libjpeg does.
    pub(super) fn decode(&self, bits: &mut BitReader<'_>) -> Result<u8, Fault> {
        let (length, symbol) = self.fast[bits.peek(FAST_BITS)];
        if length > 0 {
            bits.consume(u32::from(length));
            return Ok(symbol);
        }
        self.decode_long(bits)
    }

    #[cold]
    fn decode_long(&self, bits: &mut BitReader<'_>) -> Result<u8, Fault> {
        let code = bits.peek(MAX_BITS as u32) as u32;
        let Some(length) = (FAST_BITS as usize + 1..=MAX_BITS).find(|length| code < self.end[*length]) else {
            bits.consume(MAX_BITS as u32 + 1);
            return Fault::corrupt("the data contains a Huffman code that is not in the table");
        };
        let index = (code >> (MAX_BITS - length)) as i32 + self.offset[length];
        bits.consume(length as u32);
        match usize::try_from(index).ok().and_then(|index| self.symbols.get(index)) {
            Some(symbol) => Ok(*symbol),
            None => Fault::corrupt("the data contains a Huffman code that is not in the table"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn decodes_short_and_long_codes() {
        // One code of each length from 1 to 12: 0, 10, 110, …
        let mut counts = [0; 16];
        counts[..12].fill(1);
        let symbols: Vec<u8> = (100..112).collect();
        let table = HuffmanTable::new(&counts, &symbols).unwrap();
        for (length, symbol) in (1..=12).zip(&symbols) {
            let code = (0xffff_u32 << (17 - length)) as u16;
            let data = [code.to_be_bytes().as_slice(), &[0; 8]].concat();
            let data: Vec<u8> = data.iter().flat_map(|b| if *b == 0xff { vec![0xff, 0] } else { vec![*b] }).collect();
            let mut bits = BitReader::new(&data, 0);
            bits.refill();
            assert_eq!(table.decode(&mut bits).unwrap(), *symbol, "{length}");
        }
        let mut bits = BitReader::new(&[0xff, 0, 0xff, 0, 0, 0, 0, 0], 0);
        bits.refill();
        assert!(table.decode(&mut bits).is_err(), "no code is all ones");
    }

    #[test]
    fn refuses_too_many_codes() {
        let mut counts = [0; 16];
        counts[0] = 3;
        assert!(HuffmanTable::new(&counts, &[1, 2, 3]).is_err());
    }
}
