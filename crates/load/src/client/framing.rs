//! Where the first event ends in bytes that have not been read yet.
//!
//! A read takes all that is there, and the kernel tells the time of its last packet only. Usually that is one event. When
//! the client comes late, several may wait: then it looks before it reads, and reads them one by one, each with the time of
//! its own packet.

/// How many bytes to read so that no more than the first event is in them. All of them, where they hold no more than one.
pub fn first_event(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(next) = memchr::memchr2(b'\n', b'\r', &bytes[at..]) {
        at += next;
        let blank_line = match bytes[at..] {
            [b'\n', b'\n', ..] | [b'\r', b'\r', ..] => 2,
            [b'\r', b'\n', b'\r', b'\n', ..] => 4,
            _ => 0,
        };
        if blank_line > 0 {
            let end = at + blank_line;
            // the end of a chunk's frame comes with the chunk
            return if matches!(bytes[end..], [] | [b'\r'] | [b'\r', b'\n']) { bytes.len() } else { end };
        }
        at += 1;
    }
    bytes.len()
}

/// Follows TLS records through the bytes of a stream.
#[derive(Debug, Default)]
pub struct TlsRecords {
    head: [u8; 5],
    have: usize,
    /// Bytes of the present record that are still to come.
    left: usize,
}

impl TlsRecords {
    /// Bytes have been read.
    pub fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let taken = self.left.min(bytes.len());
                self.left -= taken;
                bytes = &bytes[taken..];
            } else {
                self.head[self.have] = bytes[0];
                self.have += 1;
                bytes = &bytes[1..];
                if self.have == self.head.len() {
                    self.have = 0;
                    self.left = usize::from(u16::from_be_bytes([self.head[3], self.head[4]]));
                }
            }
        }
    }

    /// How many bytes to read so that no more than the present record is in them.
    pub fn first_record(&self, bytes: &[u8]) -> usize {
        let record = match (self.left, self.have, bytes) {
            (0, 0, [_, _, _, high, low, ..]) => 5 + usize::from(u16::from_be_bytes([*high, *low])),
            (0, ..) => bytes.len(),
            (left, ..) => left,
        };
        record.clamp(1, bytes.len().max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_in_every_framing() {
        for (bytes, end) in [
            (&b"data: a\n\ndata: b\n\n"[..], 9),
            (b"\r\n1a\r\ndata: a\n\n\r\n1a\r\ndata: b\n\n\r\n", 15),
            (b"data: a\r\n\r\ndata: b\r\n\r\n", 11),
            (b"data: a\r\rdata: b\r\r", 9),
            (b"data: a\n\n\r\n", 11),
            (b"data: a\n", 8),
            (b"", 0),
        ] {
            assert_eq!(first_event(bytes), end, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn records_are_followed_through_any_cut() {
        let stream = [&[23, 3, 3, 0, 4][..], &[1; 4], &[23, 3, 3, 1, 0], &[2; 256]].concat();
        for cut in 0..stream.len() {
            let mut records = TlsRecords::default();
            records.pass(&stream[..cut]);
            let limit = records.first_record(&stream[cut..]);
            assert!(
                cut + limit <= if cut < 9 { if (1..5).contains(&cut) { stream.len() } else { 9 } } else { stream.len() },
                "{cut}"
            );
        }
    }
}
