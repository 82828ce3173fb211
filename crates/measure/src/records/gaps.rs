//! Gaps between content events, to the nanosecond, in three or four bytes each.

/// The gaps of a request in flight.
#[derive(Debug, Default, Clone)]
pub struct GapsBuf {
    bytes: Vec<u8>,
    count: u32,
}

impl GapsBuf {
    /// Appends a gap, ns.
    pub fn push(&mut self, gap: u64) {
        write_number(&mut self.bytes, gap);
        self.count += 1;
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
    }

    /// Each gap, ns.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        Numbers(&self.bytes)
    }

    /// Writes the number of gaps, then each, as in a gaps file.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        write_number(out, u64::from(self.count));
        out.extend_from_slice(&self.bytes);
    }

    /// Reads what `write_to` wrote; `None` where it is incomplete.
    pub fn read_from(input: &mut &[u8]) -> Option<Self> {
        let mut numbers = Numbers(input);
        let count = numbers.next()?;
        let start = numbers.0;
        for _ in 0..count {
            numbers.next()?;
        }
        let length = start.len() - numbers.0.len();
        *input = numbers.0;
        Some(Self { bytes: start[..length].to_vec(), count: u32::try_from(count).ok()? })
    }
}

/// The gaps of all requests, in one buffer.
#[derive(Debug, Default)]
pub struct Gaps {
    bytes: Vec<u8>,
    ends: Vec<u64>,
}

impl Gaps {
    /// Appends the gaps of the next request.
    pub fn push(&mut self, gaps: &GapsBuf) {
        self.bytes.extend_from_slice(&gaps.bytes);
        self.ends.push(self.bytes.len() as u64);
    }

    /// The gaps of a request, ns.
    pub fn of(&self, index: usize) -> impl Iterator<Item = u64> + '_ {
        Numbers(self.bytes_of(index))
    }

    /// The number of a request's gaps.
    pub fn count_of(&self, index: usize) -> usize {
        // each ends with the one byte that has no mark
        self.bytes_of(index).iter().filter(|byte| **byte & 0x80 == 0).count()
    }

    /// A copy of a request's gaps.
    pub fn buf_of(&self, index: usize) -> GapsBuf {
        GapsBuf { bytes: self.bytes_of(index).to_vec(), count: self.count_of(index) as u32 }
    }

    fn bytes_of(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends.get(index - 1).copied().unwrap_or(0) };
        let end = self.ends.get(index).copied().unwrap_or(start);
        &self.bytes[start as usize..end as usize]
    }
}

/// Writes a varint: seven bits per byte, lowest first; the eighth bit means that more follow.
fn write_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

struct Numbers<'a>(&'a [u8]);

impl Iterator for Numbers<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let mut number = 0;
        for (place, byte) in self.0.iter().enumerate().take(10) {
            number |= u64::from(byte & 0x7F) << (7 * place as u32);
            if byte & 0x80 == 0 {
                self.0 = &self.0[place + 1..];
                return Some(number);
            }
        }
        None
    }
}
