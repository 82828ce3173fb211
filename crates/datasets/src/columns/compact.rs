//! Headers of Parquet files (Thrift's compact protocol), looked at before the library reads them: it allocates what they say.
//!
//! The library reads known fields by their number, whatever type is written beside it. Here another type is refused, so that both
//! read the same.

/// Deepest schema. The library descends into one by recursion.
pub(super) const MAX_DEPTH: usize = 32;
/// Most groups and columns of a schema.
const MAX_ELEMENTS: usize = 10_000;
/// Longest name of a column, bytes. The library keeps a copy of its groups' names for each column.
const MAX_NAME: usize = 256;

const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const I16: u8 = 4;
const I32: u8 = 5;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// Why a header is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageHeaderError {
    /// It goes on beyond the bytes given.
    Short,
    /// The bytes are not Thrift's compact protocol.
    Damaged,
    /// Columns within columns, too deep.
    Deep,
    /// Too many columns, or one with a name too long.
    Wide,
}

/// What a page's header says of memory.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PageHeader {
    /// Bytes of the page, unpacked.
    pub(super) unpacked: usize,
    /// Bytes of its levels, which version 2 leaves out of the packing.
    pub(super) plain_levels: usize,
    /// Version 2 can leave the rest unpacked, too.
    pub(super) is_plain: bool,
    /// Entries of a dictionary.
    pub(super) entries: usize,
}

struct Compact<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Compact<'a> {
    fn byte(&mut self) -> Result<u8, PageHeaderError> {
        let byte = *self.bytes.get(self.at).ok_or(PageHeaderError::Short)?;
        self.at += 1;
        Ok(byte)
    }

    fn varint(&mut self) -> Result<u64, PageHeaderError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(PageHeaderError::Damaged)
    }

    /// A number that is 0 at least: sizes and counts are.
    fn count(&mut self) -> Result<usize, PageHeaderError> {
        let raw = self.varint()?;
        let is_negative = raw & 1 == 1;
        let value = i32::try_from(raw >> 1).map_err(|_| PageHeaderError::Damaged)?;
        if is_negative { Err(PageHeaderError::Damaged) } else { usize::try_from(value).map_err(|_| PageHeaderError::Damaged) }
    }

    fn text(&mut self) -> Result<&'a [u8], PageHeaderError> {
        let length = usize::try_from(self.varint()?).map_err(|_| PageHeaderError::Damaged)?;
        let end = self.at.checked_add(length).ok_or(PageHeaderError::Damaged)?;
        let text = self.bytes.get(self.at..end).ok_or(PageHeaderError::Short)?;
        self.at = end;
        Ok(text)
    }

    /// The next field's number and type; none at the struct's end.
    fn field(&mut self, last: &mut i16) -> Result<Option<(i16, u8)>, PageHeaderError> {
        let byte = self.byte()?;
        let (step, kind) = (byte >> 4, byte & 0x0f);
        if kind == 0 {
            return Ok(None);
        }
        *last = if step == 0 {
            let raw = u16::try_from(self.varint()?).map_err(|_| PageHeaderError::Damaged)?;
            if raw & 1 == 1 {
                return Err(PageHeaderError::Damaged);
            }
            (raw >> 1).cast_signed()
        } else {
            last.checked_add(i16::from(step)).ok_or(PageHeaderError::Damaged)?
        };
        Ok(Some((*last, kind)))
    }

    /// Passes over a value. Headers have no lists where the library passes over a field.
    fn skip(&mut self, kind: u8, depth: u32) -> Result<(), PageHeaderError> {
        match kind {
            TRUE | FALSE => Ok(()),
            BYTE => self.byte().map(drop),
            I16 | I32 | I64 => self.varint().map(drop),
            DOUBLE => {
                self.at += 8;
                if self.at > self.bytes.len() { Err(PageHeaderError::Short) } else { Ok(()) }
            }
            BINARY => self.text().map(drop),
            STRUCT if depth > 0 => {
                let mut last = 0;
                while let Some((_, kind)) = self.field(&mut last)? {
                    self.skip(kind, depth - 1)?;
                }
                Ok(())
            }
            _ => Err(PageHeaderError::Damaged),
        }
    }

    /// A struct whose fields have these types, by their numbers from 1; calls `count` for each number of 32 bits, and for each
    /// of `is_true`. Later fields are passed over.
    fn fields(&mut self, kinds: &[u8], mut value: impl FnMut(i16, usize)) -> Result<(), PageHeaderError> {
        let mut last = 0;
        while let Some((id, kind)) = self.field(&mut last)? {
            let known = usize::try_from(id - 1).ok().and_then(|index| kinds.get(index));
            match known {
                Some(&TRUE) if kind == TRUE || kind == FALSE => value(id, usize::from(kind == TRUE)),
                Some(&expected) if expected != kind => return Err(PageHeaderError::Damaged),
                Some(&I32) => value(id, self.count()?),
                _ => self.skip(kind, 4)?,
            }
        }
        Ok(())
    }

    /// A logical type: a union of structs, each with the fields that the library reads.
    fn logical_type(&mut self) -> Result<(), PageHeaderError> {
        let mut last = 0;
        while let Some((id, kind)) = self.field(&mut last)? {
            if kind != STRUCT {
                return Err(PageHeaderError::Damaged);
            }
            let mut inner = 0;
            while let Some((field, kind)) = self.field(&mut inner)? {
                match (id, field, kind) {
                    (5, 1 | 2, I32) | (10 | 16, 1, BYTE) | (17 | 18, 1, BINARY) | (18, 2, I32) => self.skip(kind, 0)?,
                    (7 | 8, 1, TRUE | FALSE) | (10, 2, TRUE | FALSE) => {}
                    (7 | 8, 2, STRUCT) => self.time_unit()?,
                    _ => return Err(PageHeaderError::Damaged),
                }
            }
        }
        Ok(())
    }

    /// A union of structs without fields.
    fn time_unit(&mut self) -> Result<(), PageHeaderError> {
        let mut last = 0;
        while let Some((_, kind)) = self.field(&mut last)? {
            if kind != STRUCT || self.byte()? != 0 {
                return Err(PageHeaderError::Damaged);
            }
        }
        Ok(())
    }

    /// A group or column of a schema; returns how many it has within it.
    fn schema_element(&mut self) -> Result<usize, PageHeaderError> {
        let (mut last, mut children) = (0, 0);
        while let Some((id, kind)) = self.field(&mut last)? {
            match (id, kind) {
                (5, I32) => children = self.count()?,
                (1..=3 | 6..=9, I32) => self.varint().map(drop)?,
                (4, BINARY) if self.text()?.len() > MAX_NAME => return Err(PageHeaderError::Wide),
                (4, BINARY) => {}
                (10, STRUCT) => self.logical_type()?,
                (1..=10, _) => return Err(PageHeaderError::Damaged),
                _ => self.skip(kind, 4)?,
            }
        }
        Ok(children)
    }
}

/// Reads a page's header at the beginning of `bytes`.
pub(super) fn page_header(bytes: &[u8]) -> Result<PageHeader, PageHeaderError> {
    let (mut compact, mut last) = (Compact { bytes, at: 0 }, 0);
    let mut header = PageHeader::default();
    while let Some((id, kind)) = compact.field(&mut last)? {
        match (id, kind) {
            (2, I32) => header.unpacked = compact.count()?,
            (1 | 3, I32) => compact.count().map(drop)?,
            (4, I32) => compact.varint().map(drop)?,
            (5, STRUCT) => compact.fields(&[I32, I32, I32, I32, STRUCT], |_, _| ())?,
            (6, STRUCT) => compact.fields(&[], |_, _| ())?,
            (7, STRUCT) => compact.fields(&[I32, I32, TRUE], |id, value| {
                if id == 1 {
                    header.entries = value;
                }
            })?,
            (8, STRUCT) => {
                let (mut definitions, mut repetitions) = (0, 0);
                compact.fields(&[I32, I32, I32, I32, I32, I32, TRUE, STRUCT], |id, value| match id {
                    5 => definitions = value,
                    6 => repetitions = value,
                    7 => header.is_plain = value == 0,
                    _ => {}
                })?;
                header.plain_levels = definitions + repetitions;
            }
            (1..=8, _) => return Err(PageHeaderError::Damaged),
            _ => compact.skip(kind, 4)?,
        }
    }
    Ok(header)
}

/// Checks the schema, which a footer begins with, for what the library could not bear: it takes the first one that it finds.
pub(super) fn check_schema(footer: &[u8]) -> Result<(), PageHeaderError> {
    let (mut compact, mut last) = (Compact { bytes: footer, at: 0 }, 0);
    if compact.field(&mut last)? != Some((1, I32)) {
        return Err(PageHeaderError::Damaged);
    }
    compact.varint()?;
    if compact.field(&mut last)? != Some((2, LIST)) {
        return Err(PageHeaderError::Damaged);
    }
    let byte = compact.byte()?;
    let elements = match byte >> 4 {
        15 => usize::try_from(compact.varint()?).map_err(|_| PageHeaderError::Damaged)?,
        few => usize::from(few),
    };
    if byte & 0x0f != STRUCT {
        return Err(PageHeaderError::Damaged);
    }
    if elements > MAX_ELEMENTS {
        return Err(PageHeaderError::Wide);
    }
    // how many elements are still to come in each group, from the outermost to the one at hand
    let mut groups: Vec<usize> = vec![1];
    for _ in 0..elements {
        while groups.pop_if(|left| *left == 0).is_some() {}
        *groups.last_mut().ok_or(PageHeaderError::Damaged)? -= 1;
        let children = compact.schema_element()?;
        if children > elements {
            return Err(PageHeaderError::Damaged);
        }
        groups.push(children);
        if groups.len() > MAX_DEPTH + 1 {
            return Err(PageHeaderError::Deep);
        }
    }
    Ok(())
}
