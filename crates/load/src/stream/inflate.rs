//! Decompresses answers that come compressed although `identity` was asked for. Each piece is decompressed at once, so that an
//! event is stamped when its last byte could be read; the time that the server's compressor held it back counts as latency.

use std::io::Write;

use flate2::write::{GzDecoder, ZlibDecoder};

/// Largest decompressed size of one piece, bytes.
const LARGEST: usize = 64 << 20;
/// Input bytes that are decompressed before the size is checked again.
const STEP: usize = 4 << 10;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Encoding {
    #[default]
    Identity,
    /// `gzip`, `x-gzip`.
    Gzip,
    /// `deflate`: a zlib stream.
    Deflate,
}

impl Encoding {
    /// Reads a `content-encoding` header; `None` for an unsupported one.
    pub fn parse(value: &str) -> Option<Self> {
        match value.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Some(Self::Identity),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            _ => None,
        }
    }
}

/// The bytes are not valid in the given encoding, or decompress to more than the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the compressed answer is broken")]
pub struct Broken;

#[derive(Debug)]
enum Decoder {
    Gzip(GzDecoder<Vec<u8>>),
    Deflate(ZlibDecoder<Vec<u8>>),
}

#[derive(Debug)]
pub struct Inflate(Decoder);

impl Inflate {
    /// A decompressor for the encoding; `None` for `identity`.
    pub fn new(encoding: Encoding) -> Option<Self> {
        match encoding {
            Encoding::Identity => None,
            Encoding::Gzip => Some(Self(Decoder::Gzip(GzDecoder::new(Vec::new())))),
            Encoding::Deflate => Some(Self(Decoder::Deflate(ZlibDecoder::new(Vec::new())))),
        }
    }

    /// Decompresses a piece and returns all output that is available by now.
    ///
    /// # Errors
    /// When the bytes are invalid or decompress to too much.
    pub fn feed(&mut self, piece: &[u8]) -> Result<&[u8], Broken> {
        self.output().clear();
        for step in piece.chunks(STEP) {
            let fed = match &mut self.0 {
                Decoder::Gzip(decoder) => decoder.write_all(step).and_then(|()| decoder.flush()),
                Decoder::Deflate(decoder) => decoder.write_all(step).and_then(|()| decoder.flush()),
            };
            if fed.is_err() || self.output().len() > LARGEST {
                return Err(Broken);
            }
        }
        Ok(self.output())
    }

    fn output(&mut self) -> &mut Vec<u8> {
        match &mut self.0 {
            Decoder::Gzip(decoder) => decoder.get_mut(),
            Decoder::Deflate(decoder) => decoder.get_mut(),
        }
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};

    use super::*;

    /// Compresses pieces, with a flush after each.
    fn packed(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        let mut all = Vec::new();
        for piece in pieces {
            encoder.write_all(piece).unwrap();
            encoder.flush().unwrap();
            all.push(std::mem::take(encoder.get_mut()));
        }
        all.push(encoder.finish().unwrap());
        all
    }

    #[test]
    fn pieces_are_legible_as_they_come() {
        let mut inflate = Inflate::new(Encoding::Gzip).unwrap();
        let packed = packed(&[b"data: a\n\n", b"data: b\n\n"]);
        assert_eq!(inflate.feed(&packed[0]), Ok(&b"data: a\n\n"[..]));
        assert_eq!(inflate.feed(&packed[1]), Ok(&b"data: b\n\n"[..]));
        assert_eq!(inflate.feed(&packed[2]), Ok(&b""[..]));
    }

    #[test]
    fn any_split_parses_the_same() {
        let text = b"data: {\"choices\":[]}\n\n".repeat(50);
        let bytes = packed(&[&text]).concat();
        for cut in [1, 7, 100] {
            let mut inflate = Inflate::new(Encoding::Gzip).unwrap();
            let mut all = Vec::new();
            bytes.chunks(cut).for_each(|piece| all.extend_from_slice(inflate.feed(piece).unwrap()));
            assert_eq!(all, text);
        }
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&text).unwrap();
        let mut inflate = Inflate::new(Encoding::Deflate).unwrap();
        assert_eq!(inflate.feed(&encoder.finish().unwrap()), Ok(&text[..]));
    }

    #[test]
    fn invalid_compressed_bytes_and_bombs_are_errors() {
        assert_eq!(Inflate::new(Encoding::Gzip).unwrap().feed(b"data: plain\n\n"), Err(Broken));
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        let zeros = vec![0; 1 << 20];
        (0..80).for_each(|_| encoder.write_all(&zeros).unwrap());
        assert_eq!(Inflate::new(Encoding::Gzip).unwrap().feed(&encoder.finish().unwrap()), Err(Broken));
        assert!(Inflate::new(Encoding::Identity).is_none());
        assert_eq!(["GZIP", "br", "identity"].map(Encoding::parse), [Some(Encoding::Gzip), None, Some(Encoding::Identity)]);
    }
}
