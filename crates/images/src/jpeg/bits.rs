//! A bit reader for entropy-coded data.

/// Reads bits up to the next marker, and zeros after it, so that a code can be looked up at the very end.
/// [`is_overrun`](Self::is_overrun) reports whether such zeros were consumed.
pub(super) struct BitReader<'a> {
    data: &'a [u8],
    at: usize,
    /// The next bits, from the top. Below the top `count` bits, some of the following ones may already be present.
    bits: u64,
    count: u32,
    /// Number of zero bits added after the end.
    padding: u32,
}

impl<'a> BitReader<'a> {
    /// Starts at byte `at`.
    pub(super) fn new(data: &'a [u8], at: usize) -> Self {
        Self { data, at, bits: 0, count: 0, padding: 0 }
    }

    /// Makes at least 32 bits available: enough for a code of 16 and a value of 16.
    pub(super) fn refill(&mut self) {
        if self.count >= 32 {
            return;
        }
        if let Some(chunk) = self.data.get(self.at..).and_then(|rest| rest.first_chunk()) {
            let chunk = u64::from_be_bytes(*chunk);
            if !has_byte_ff(chunk) {
                let bytes = (64 - self.count) / 8;
                self.bits |= chunk >> self.count;
                self.count += bytes * 8;
                self.at += bytes as usize;
                return;
            }
        }
        while self.count <= 56 {
            let byte = self.next_byte();
            self.padding += if byte.is_none() { 8 } else { 0 };
            self.bits |= u64::from(byte.unwrap_or(0)) << (56 - self.count);
            self.count += 8;
        }
    }

    /// The next byte of data, `None` at a marker or at the end.
    fn next_byte(&mut self) -> Option<u8> {
        let byte = *self.data.get(self.at)?;
        if byte != 0xff {
            self.at += 1;
            return Some(byte);
        }
        // FF 00 encodes FF; FF FF is fill before a marker.
        let fill = self.data[self.at..].iter().take_while(|byte| **byte == 0xff).count();
        match self.data.get(self.at + fill) {
            Some(0) => {
                self.at += fill + 1;
                Some(0xff)
            }
            _ => None,
        }
    }

    /// The next `n` ≤ 16 bits, which [`refill`](Self::refill) has made available.
    pub(super) fn peek(&self, n: u32) -> usize {
        ((self.bits >> 32) >> (32 - n)) as usize
    }

    pub(super) fn consume(&mut self, n: u32) {
        self.bits <<= n;
        self.count -= n;
    }

    /// Takes `n` ≤ 16 available bits.
    pub(super) fn take(&mut self, n: u32) -> i32 {
        let value = self.peek(n);
        self.consume(n);
        value as i32
    }

    /// Takes one bit.
    pub(super) fn bit(&mut self) -> bool {
        self.refill();
        self.take(1) != 0
    }

    /// Takes a signed value of `n` ≤ 16 available bits, in the code of the standard's EXTEND procedure.
    pub(super) fn signed(&mut self, n: u32) -> i32 {
        let value = self.take(n);
        if n > 0 && value < 1 << (n - 1) { value - (1 << n) + 1 } else { value }
    }

    /// Whether bits after the end of the data were consumed.
    pub(super) fn is_overrun(&self) -> bool {
        self.padding > self.count
    }

    /// Whether a marker follows the buffered bits.
    pub(super) fn is_at_marker(&self) -> bool {
        let rest = self.data.get(self.at..).unwrap_or_default();
        rest.first() == Some(&0xff) && rest.iter().any(|byte| *byte != 0xff)
    }

    /// Where the next marker may begin: after the last byte read, even if some of its bits are unused.
    pub(super) fn position(&self) -> usize {
        self.at
    }
}

/// Whether one of the eight bytes is FF.
fn has_byte_ff(chunk: u64) -> bool {
    const LOW: u64 = 0x0101_0101_0101_0101;
    // A byte of the complement is zero where the byte is FF.
    let complement = !chunk;
    complement.wrapping_sub(LOW) & !complement & (LOW << 7) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_through_stuffing_to_the_marker() {
        let data = [0b1010_0000, 0xff, 0x00, 0x0f, 0xff, 0xff, 0xd9, 0x55];
        let mut bits = BitReader::new(&data, 0);
        bits.refill();
        assert_eq!((bits.take(3), bits.take(5), bits.take(8), bits.take(8)), (0b101, 0, 0xff, 0x0f));
        assert!(!bits.is_overrun());
        bits.refill();
        assert_eq!(bits.take(4), 0);
        assert!(bits.is_overrun());
        assert_eq!(data[bits.position()..][..3], [0xff, 0xff, 0xd9]);
    }

    #[test]
    fn the_fast_way_reads_the_same_as_the_slow_one() {
        let data: Vec<u8> = (0..200u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8 % 0xff).collect();
        for step in 1..=16 {
            let mut bits = BitReader::new(&data, 0);
            for start in (0..1500).step_by(step) {
                bits.refill();
                let bit = |i: usize| data[i / 8] >> (7 - i % 8) & 1;
                let expected = (start..start + step).fold(0, |value, i| value << 1 | i32::from(bit(i)));
                assert_eq!(bits.take(step as u32), expected);
            }
        }
    }

    #[test]
    fn extends_the_sign() {
        let mut bits = BitReader::new(&[0b0100_1101, 0], 0);
        bits.refill();
        assert_eq!([1, 1, 2, 2, 2].map(|n| bits.signed(n)), [-1, 1, -3, 3, -2]);
    }
}
