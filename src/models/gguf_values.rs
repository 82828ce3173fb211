//! The values of a GGUF header, read with every length checked against what is left of the file.

use std::io::{BufReader, Read, Seek};

use super::ModelFileError;

/// Longest key; the format's own limit.
const MAX_KEY_BYTES: u64 = 65_535;
/// Longest text that is kept: chat templates are some kilobytes.
const MAX_KEPT_TEXT_BYTES: u64 = 1 << 20;
/// Largest array: vocabularies have some hundred thousand entries.
const MAX_ARRAY_ENTRIES: u64 = 1 << 24;
/// Arrays of arrays exist in the format, but no deeper than this in any file.
const MAX_DEPTH: u8 = 3;

/// One metadata value, as much of it as is of use.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// Any whole number that is not negative.
    Number(u64),
    Text(String),
    /// An array: how many entries, and the largest whole number in it.
    Array {
        entries: u64,
        largest: Option<u64>,
    },
    /// A negative number, a fraction, a truth value, a text too long to keep.
    Other,
}

/// Reads from a source whose length is known.
pub(super) struct GgufSource<R> {
    reader: BufReader<R>,
    left: u64,
    length: u64,
}

fn damaged(what: &str) -> ModelFileError {
    ModelFileError::Damaged(what.to_owned())
}

impl<R: Read + Seek> GgufSource<R> {
    /// From the beginning of a source.
    pub(super) fn new(source: R, length: u64) -> Self {
        Self { reader: BufReader::with_capacity(1 << 16, source), left: length, length }
    }

    /// Bytes read so far.
    pub(super) fn position(&self) -> u64 {
        self.length - self.left
    }

    /// Bytes that are left.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    fn take(&mut self, bytes: u64) -> Result<(), ModelFileError> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| damaged("it ends within its header"))?;
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ModelFileError> {
        self.take(N as u64)?;
        let mut bytes = [0_u8; N];
        self.reader.read_exact(&mut bytes).map_err(|_| damaged("it ends within its header"))?;
        Ok(bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, ModelFileError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, ModelFileError> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn bytes4(&mut self) -> Result<[u8; 4], ModelFileError> {
        self.array()
    }

    fn skip(&mut self, bytes: u64) -> Result<(), ModelFileError> {
        self.take(bytes)?;
        let step = i64::try_from(bytes).map_err(|_| damaged("a length can't be true"))?;
        self.reader.seek_relative(step).map_err(|_| damaged("it ends within its header"))
    }

    /// Characters whose number of bytes was compared with a limit; allocated only when the file has as many.
    fn characters(&mut self, bytes: u64) -> Result<String, ModelFileError> {
        self.take(bytes)?;
        let mut text = vec![0_u8; usize::try_from(bytes).map_err(|_| damaged("a text is too long"))?];
        self.reader.read_exact(&mut text).map_err(|_| damaged("it ends within its header"))?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// A metadata key or a tensor's name.
    pub(super) fn key(&mut self) -> Result<String, ModelFileError> {
        let length = self.u64()?;
        if length > MAX_KEY_BYTES {
            return Err(damaged("a name is too long"));
        }
        self.characters(length)
    }

    /// A value with its type before it.
    pub(super) fn value(&mut self) -> Result<Value, ModelFileError> {
        let kind = self.u32()?;
        self.value_of(kind, 0)
    }

    fn value_of(&mut self, kind: u32, depth: u8) -> Result<Value, ModelFileError> {
        let signed = |number: i64| u64::try_from(number).map_or(Value::Other, Value::Number);
        Ok(match kind {
            0 => Value::Number(self.array::<1>()?[0].into()),
            1 => signed(i8::from_le_bytes(self.array()?).into()),
            2 => Value::Number(u16::from_le_bytes(self.array()?).into()),
            3 => signed(i16::from_le_bytes(self.array()?).into()),
            4 => Value::Number(self.u32()?.into()),
            5 => signed(i32::from_le_bytes(self.array()?).into()),
            6 => {
                self.skip(4)?;
                Value::Other
            }
            7 => {
                self.skip(1)?;
                Value::Other
            }
            8 => {
                let length = self.u64()?;
                self.text_value(length)?
            }
            9 => self.array_value(depth)?,
            10 => Value::Number(self.u64()?),
            11 => signed(i64::from_le_bytes(self.array()?)),
            12 => {
                self.skip(8)?;
                Value::Other
            }
            _ => return Err(damaged("a value has an unknown type")),
        })
    }

    fn text_value(&mut self, length: u64) -> Result<Value, ModelFileError> {
        if length > MAX_KEPT_TEXT_BYTES {
            self.skip(length)?;
            return Ok(Value::Other);
        }
        self.characters(length).map(Value::Text)
    }

    fn array_value(&mut self, depth: u8) -> Result<Value, ModelFileError> {
        if depth >= MAX_DEPTH {
            return Err(damaged("arrays are nested too deep"));
        }
        let kind = self.u32()?;
        let entries = self.u64()?;
        if entries > MAX_ARRAY_ENTRIES {
            return Err(damaged("an array is too large"));
        }
        let mut largest = None;
        match kind {
            // Texts: each has its own length.
            8 => {
                for _ in 0..entries {
                    let length = self.u64()?;
                    self.skip(length)?;
                }
            }
            // Fractions and truth values say nothing that is needed.
            6 => self.skip(entries * 4)?,
            7 => self.skip(entries)?,
            12 => self.skip(entries * 8)?,
            _ => {
                for _ in 0..entries {
                    if let Value::Number(number) = self.value_of(kind, depth + 1)? {
                        largest = largest.max(Some(number));
                    }
                }
            }
        }
        Ok(Value::Array { entries, largest })
    }
}
