//! Pages of Parquet files with limits on their memory. The library unpacks a page whole, as large as its header says, and reads
//! a row's list whole, however long: both come from whoever made the file, and take next to no room in it.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use parquet::basic::{Compression, Encoding};
use parquet::bloom_filter::Sbbf;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, Length, RowGroupReader, SerializedPageReader};
use parquet::record::reader::RowIter;
use parquet::schema::types::Type;

use super::compact::{PageHeaderError, page_header};
use crate::read_error::ReadError;

/// Longest list of a row, values of a column; [`ReadError::ListTooLong`] says it.
pub(super) const MAX_LIST: usize = 100_000;
/// What the library takes for an entry of a dictionary, bytes.
const ENTRY: usize = 40;
/// Most lengths that stand together before a page's texts.
const MAX_LENGTHS: u64 = 4 << 20;
/// Longest header of a page, bytes: it can hold the smallest and the largest value.
const MAX_HEADER: usize = 1 << 20;
/// As much of a header as is read at first.
const USUAL_HEADER: usize = 1 << 12;

/// What the pages of a row group may take in memory at one time.
#[derive(Debug)]
pub(super) struct Budget {
    limit: usize,
    held: AtomicUsize,
    /// Why a page was refused, with the row of the group; the library keeps only the words of an error.
    refusal: Mutex<Option<(u64, ReadError)>>,
}

impl Budget {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, held: AtomicUsize::new(0), refusal: Mutex::new(None) }
    }

    pub(super) fn take_refusal(&self) -> Option<(u64, ReadError)> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn refuse(&self, row: u64, error: ReadError) -> ParquetError {
        let words = error.to_string();
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some((row, error));
        ParquetError::General(words)
    }

    /// Replaces what a column holds.
    fn replace(&self, before: usize, now: usize) -> Result<()> {
        let others = self.held.fetch_sub(before, Ordering::Relaxed) - before;
        if now > self.limit.saturating_sub(others) {
            return Err(self.refuse(0, ReadError::PagesTooLarge { limit: self.limit }));
        }
        self.held.fetch_add(now, Ordering::Relaxed);
        Ok(())
    }
}

/// A row group whose pages are checked before they are unpacked.
pub(super) struct CheckedGroup<'a> {
    pub(super) file: &'a Arc<File>,
    pub(super) metadata: &'a RowGroupMetaData,
    pub(super) budget: Arc<Budget>,
}

impl RowGroupReader for CheckedGroup<'_> {
    fn metadata(&self) -> &RowGroupMetaData {
        self.metadata
    }

    fn num_columns(&self) -> usize {
        self.metadata.num_columns()
    }

    fn get_column_page_reader(&self, index: usize) -> Result<Box<dyn PageReader>> {
        let column = self.metadata.column(index);
        let chunk = ColumnChunk {
            file: Arc::clone(self.file),
            is_gzip: matches!(column.compression(), Compression::GZIP(_)),
            budget: Arc::clone(&self.budget),
            page: Arc::default(),
        };
        let rows = usize::try_from(self.metadata.num_rows())?;
        let pages = SerializedPageReader::new(Arc::new(chunk), column, rows, None)?;
        Ok(Box::new(CheckedPages { pages, lists: Lists::of(column), budget: Arc::clone(&self.budget) }))
    }

    fn get_column_bloom_filter(&self, _: usize) -> Option<&Sbbf> {
        None
    }

    fn get_row_iter(&self, projection: Option<Type>) -> Result<RowIter<'_>> {
        RowIter::from_row_group(projection, self)
    }
}

/// What is known of the page whose header was read last, bytes.
#[derive(Debug, Default)]
struct LastPage {
    unpacked: usize,
    /// As far as the page begins with levels that are not packed; the whole page where nothing is.
    plain: usize,
    dictionary: usize,
    /// Of the data page alone.
    data: usize,
}

/// A column's bytes in the file. The library asks for a page's header, then for the page.
struct ColumnChunk {
    file: Arc<File>,
    is_gzip: bool,
    budget: Arc<Budget>,
    page: Arc<Mutex<LastPage>>,
}

impl Length for ColumnChunk {
    fn len(&self) -> u64 {
        Length::len(&*self.file)
    }
}

impl ChunkReader for ColumnChunk {
    type T = PageHeaderReader;

    fn get_read(&self, start: u64) -> Result<PageHeaderReader> {
        let (file, budget, page) = (Arc::clone(&self.file), Arc::clone(&self.budget), Arc::clone(&self.page));
        Ok(PageHeaderReader { file, start, budget, page, header: None })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        if length > self.budget.limit {
            return Err(self.budget.refuse(0, ReadError::PagesTooLarge { limit: self.budget.limit }));
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, start)?;
        let page = self.page.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(packed) = bytes.get(page.plain..)
            && self.is_gzip
        {
            // the library unpacks gzip to its end, whatever the header says
            let most = page.unpacked.saturating_sub(page.plain) as u64;
            let mut unpacked = MultiGzDecoder::new(packed).take(most + 1);
            // what can't be unpacked is the library's to say
            if most > 0 && io::copy(&mut unpacked, &mut io::sink()).is_ok_and(|length| length > most) {
                return Err(self.budget.refuse(0, ReadError::ParquetDamaged));
            }
        }
        Ok(Bytes::from(bytes))
    }
}

/// Reads a page's header and checks it before the library gets to see it. The library also makes one where there is no header,
/// and reads nothing from it.
struct PageHeaderReader {
    file: Arc<File>,
    start: u64,
    budget: Arc<Budget>,
    page: Arc<Mutex<LastPage>>,
    header: Option<Cursor<Vec<u8>>>,
}

impl PageHeaderReader {
    fn checked(&self) -> Result<Cursor<Vec<u8>>> {
        let mut bytes = self.read(USUAL_HEADER)?;
        let mut header = page_header(&bytes);
        if header == Err(PageHeaderError::Short) && bytes.len() == USUAL_HEADER {
            bytes = self.read(MAX_HEADER)?;
            header = page_header(&bytes);
        }
        let header = header.map_err(|_| self.budget.refuse(0, ReadError::ParquetDamaged))?;
        let mut page = self.page.lock().unwrap_or_else(PoisonError::into_inner);
        let before = page.dictionary + page.data;
        if header.entries > 0 {
            page.dictionary += header.unpacked + header.entries.saturating_mul(ENTRY);
            page.data = 0;
        } else {
            page.data = header.unpacked;
        }
        page.unpacked = header.unpacked;
        page.plain = if header.is_plain { usize::MAX } else { header.plain_levels };
        self.budget.replace(before, page.dictionary + page.data)?;
        Ok(Cursor::new(bytes))
    }

    fn read(&self, most: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; most];
        let mut filled = 0;
        while filled < most {
            match self.file.read_at(&mut bytes[filled..], self.start + filled as u64)? {
                0 => break,
                read => filled += read,
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }
}

impl Read for PageHeaderReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.header.is_none() {
            self.header = Some(self.checked().map_err(io::Error::other)?);
        }
        self.header.as_mut().map_or(Ok(0), |header| header.read(buffer))
    }
}

/// A column's pages, with its lists counted before they are read.
struct CheckedPages {
    pages: SerializedPageReader<ColumnChunk>,
    lists: Lists,
    budget: Arc<Budget>,
}

impl PageReader for CheckedPages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.pages.get_next_page()?;
        if let Some(page) = &page
            && let Err(error) = self.lists.take(page, self.budget.limit)
        {
            return Err(self.budget.refuse(self.lists.rows.saturating_sub(1), error));
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.pages.skip_next_page()
    }
}

impl Iterator for CheckedPages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Result<Page>> {
        self.get_next_page().transpose()
    }
}

/// How far the lists of a column have been counted.
struct Lists {
    column: String,
    /// Deepest level of definitions and repetitions; without repetitions there are no lists.
    deepest: (i16, i16),
    rows: u64,
    /// Values in the row at hand.
    values: usize,
    /// Bytes of the pages that the row at hand stands in: its values are parts of them, and keep them.
    pages: usize,
}

impl Lists {
    fn of(column: &ColumnChunkMetaData) -> Self {
        let described = column.column_descr();
        let deepest = (described.max_def_level(), described.max_rep_level());
        Self { column: described.path().string(), deepest, rows: 0, values: 0, pages: 0 }
    }

    /// Counts a page's lists, and what it allocates beside its bytes. `limit`: bytes of the pages of a row.
    fn take(&mut self, page: &Page, limit: usize) -> Result<(), ReadError> {
        let count = page.num_values() as usize;
        let (repetitions, values) = match page {
            Page::DictionaryPage { .. } => return Ok(()),
            Page::DataPage { buf, rep_level_encoding, def_level_encoding, .. } => {
                let (definitions_deepest, repetitions_deepest) = self.deepest;
                let (repetitions, rest) = levels(buf, *rep_level_encoding, repetitions_deepest)?;
                let (_, rest) = levels(rest, *def_level_encoding, definitions_deepest)?;
                (repetitions, rest)
            }
            Page::DataPageV2 { buf, def_levels_byte_len, rep_levels_byte_len, .. } => {
                let repetitions = *rep_levels_byte_len as usize;
                let both = repetitions + *def_levels_byte_len as usize;
                (buf.get(..repetitions).ok_or(ReadError::ParquetDamaged)?, buf.get(both..).ok_or(ReadError::ParquetDamaged)?)
            }
        };
        if self.deepest.1 > 0 {
            let width = (i16::BITS - self.deepest.1.leading_zeros()) as usize;
            let rows = self.rows;
            self.count(repetitions, width, count)?;
            let size = page.buffer().len();
            self.pages = self.pages.saturating_add(size);
            if self.pages > limit {
                return Err(ReadError::PagesTooLarge { limit });
            }
            if self.rows > rows {
                self.pages = size;
            }
        }
        match page.encoding() {
            // each value can be as long as all that came before it, and its lengths stand at no place that is known
            Encoding::DELTA_BYTE_ARRAY => Err(ReadError::SharedPrefixes { column: self.column.clone() }),
            Encoding::DELTA_LENGTH_BYTE_ARRAY if lengths(values).is_none_or(|lengths| lengths > MAX_LENGTHS) => {
                Err(ReadError::ParquetDamaged)
            }
            _ => Ok(()),
        }
    }

    /// Counts the values of each row by the levels of repetition of a page: runs of one level, and levels packed into bits.
    fn count(&mut self, mut levels: &[u8], width: usize, mut left: usize) -> Result<(), ReadError> {
        while left > 0 {
            let Some(header) = varint(&mut levels) else { return Ok(()) };
            let many = usize::try_from(header >> 1).map_err(|_| ReadError::ParquetDamaged)?;
            if header & 1 == 0 {
                let Some((value, rest)) = levels.split_at_checked(width.div_ceil(8)) else { return Ok(()) };
                let run = many.min(left);
                self.add(value.iter().any(|&byte| byte > 0), run)?;
                (levels, left) = (rest, left - run);
            } else {
                let bytes = many.saturating_mul(width).min(levels.len());
                let (packed, rest) = levels.split_at(bytes);
                let run = (packed.len() * 8 / width).min(left);
                for level in 0..run {
                    let mut bits = level * width..(level + 1) * width;
                    self.add(bits.any(|bit| packed[bit / 8] >> (bit % 8) & 1 == 1), 1)?;
                }
                (levels, left) = (rest, left - run);
                if run == 0 {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Adds values that go on with the row at hand, or each begin one.
    fn add(&mut self, goes_on: bool, many: usize) -> Result<(), ReadError> {
        if goes_on {
            self.values += many;
        } else {
            self.rows += many as u64;
            self.values = 1;
        }
        if self.values > MAX_LIST { Err(ReadError::ListTooLong) } else { Ok(()) }
    }
}

/// The levels that a page of version 1 begins with, and what follows.
fn levels(page: &[u8], encoding: Encoding, deepest: i16) -> Result<(&[u8], &[u8]), ReadError> {
    if deepest == 0 {
        return Ok((&[], page));
    }
    if encoding != Encoding::RLE {
        return Err(ReadError::ParquetDamaged);
    }
    let (length, rest) = page.split_first_chunk().ok_or(ReadError::ParquetDamaged)?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or(ReadError::ParquetDamaged)
}

/// How many lengths stand before texts in this encoding: the third number.
fn lengths(mut values: &[u8]) -> Option<u64> {
    varint(&mut values)?;
    varint(&mut values)?;
    varint(&mut values)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(repetitions: &[u8], count: u32, encoding: Encoding, values: &[u8]) -> Page {
        let length = (repetitions.len() as u32).to_le_bytes();
        let buf = Bytes::from([&length[..], repetitions, values].concat());
        let (def_level_encoding, rep_level_encoding) = (Encoding::RLE, Encoding::RLE);
        Page::DataPage { buf, num_values: count, encoding, def_level_encoding, rep_level_encoding, statistics: None }
    }

    fn lists() -> Lists {
        Lists { column: "messages".to_owned(), deepest: (0, 1), rows: 0, values: 0, pages: 0 }
    }

    const LIMIT: usize = 1 << 20;

    #[test]
    fn lists_are_counted_over_pages() {
        // a run of one level: its length doubled, then the level
        let (begins, goes_on) = (page(&[2, 0], 1, Encoding::PLAIN, &[]), page(&[0xc0, 0xb8, 2, 1], 20_000, Encoding::PLAIN, &[]));
        let mut counted = lists();
        counted.take(&begins, LIMIT).unwrap();
        for _ in 0..4 {
            counted.take(&goes_on, LIMIT).unwrap();
        }
        assert_eq!((counted.rows, counted.values), (1, 80_001));
        assert_eq!(counted.take(&goes_on, LIMIT), Err(ReadError::ListTooLong));
        // 16 levels in bits, of which 3 begin a row
        let mut packed = lists();
        packed.take(&page(&[5, 0b1111_1110, 0b1011_1101], 16, Encoding::PLAIN, &[]), LIMIT).unwrap();
        assert_eq!((packed.rows, packed.values), (3, 2));
    }

    /// The usual writers end a page with a row; one that does not could have the values of a row keep any number of pages.
    #[test]
    fn the_pages_of_a_row_count_together() {
        let text = vec![0; LIMIT / 4];
        // a page whose first value goes on with the row before, or begins one
        let pages = |begins: bool| page(&[2, u8::from(!begins)], 1, Encoding::PLAIN, &text);
        let mut counted = lists();
        for begins in [true, true, true, true, true, false, false] {
            counted.take(&pages(begins), LIMIT).unwrap();
        }
        assert_eq!(counted.take(&pages(false), LIMIT), Err(ReadError::PagesTooLarge { limit: LIMIT }));
        assert_eq!(counted.rows, 5);
    }

    #[test]
    fn lengths_that_do_not_end_are_refused() {
        let lengths = |count: &[u8]| {
            let values = [&[0x80, 1, 4][..], count, &[0]].concat();
            lists().take(&page(&[2, 0], 1, Encoding::DELTA_LENGTH_BYTE_ARRAY, &values), LIMIT)
        };
        assert_eq!(lengths(&[1]), Ok(()));
        assert_eq!(lengths(&[0xff, 0xff, 0xff, 0xff, 0x7f]), Err(ReadError::ParquetDamaged));
        assert_eq!(lengths(&[0xff; 12]), Err(ReadError::ParquetDamaged));
    }
}
