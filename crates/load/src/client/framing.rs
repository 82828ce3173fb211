//! Finds where the first event ends in bytes that were peeked but not read yet.
//!
//! A read returns all bytes that wait, but the kernel's stamp of the last packet only. When the client is late, several events
//! may wait: it then peeks and reads them one by one, each with the stamp of its own packet.

/// Length of the first event, with its framing; of all bytes, where they hold no more than one event.
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
            // the CRLF that ends a chunk belongs to the chunk
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
    /// Bytes of the current record that are still to come.
    left: usize,
}

impl TlsRecords {
    /// Advances over bytes that have been read.
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

    /// Number of bytes up to the end of the current record.
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
