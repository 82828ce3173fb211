//! Prompts from rows of datasets: each row once before any is repeated, in an order fixed by the seed.

use std::fs::File;
use std::io::{BufRead, BufReader};

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use super::error::WorkloadError;
use super::prompt_id::PromptId;
use crate::tokens::{Tokens, estimate};
use dyno_measure::dataset::{ChatMessage, DatasetRow};
use dyno_measure::load::Endpoint;
use dyno_measure::plan::DatasetFile;

/// Output limit where neither the plan nor a reference gives one, tokens.
pub(super) const DEFAULT_OUTPUT: u32 = 256;

#[derive(Debug)]
pub struct PromptRow {
    messages: DatasetRow,
    pub output_limit: u32,
}

impl PromptRow {
    /// The messages, without the mark that a warm-up adds.
    pub fn messages(&self) -> &[ChatMessage] {
        &self.messages.messages
    }
}

/// All rows, in sending order.
#[derive(Debug)]
pub struct PromptDataset {
    rows: Vec<PromptRow>,
}

impl PromptDataset {
    /// Reads the files. Where the plan gives no output limit, the references of the first `needed` rows are tokenized for it.
    ///
    /// # Errors
    /// When a file can't be read or is not what the plan says.
    pub fn read(
        files: &[DatasetFile],
        limit: Option<u32>,
        seed: u64,
        needed: Option<u64>,
        tokens: &mut Tokens,
    ) -> Result<(Self, Vec<String>), WorkloadError> {
        let mut rows = Vec::new();
        for (number, file) in (1_u64..).zip(files) {
            let mut own = read_file(file)?;
            own.shuffle(&mut order_of(seed, number));
            rows.extend(own);
        }
        if rows.is_empty() {
            return Err(WorkloadError::NoRows);
        }
        let mut notes = Vec::new();
        let needed = needed.map_or(rows.len(), |needed| usize::try_from(needed).unwrap_or(usize::MAX).min(rows.len()));
        let begun = std::time::Instant::now();
        let mut estimated = 0_u64;
        let rows: Vec<PromptRow> = (0..)
            .zip(rows)
            .map(|(place, messages): (usize, DatasetRow)| {
                let by_reference = |tokens: &mut Tokens, estimated: &mut u64| {
                    let reference = messages.reference.as_deref().filter(|text| !text.is_empty())?;
                    let in_time = place < needed && begun.elapsed().as_secs() < 20;
                    let counted = if in_time { tokens.text(reference, false) } else { None };
                    *estimated += u64::from(counted.is_none() && place < needed);
                    Some(counted.unwrap_or_else(|| estimate(reference)).max(1))
                };
                let output_limit = limit.or_else(|| by_reference(tokens, &mut estimated)).unwrap_or(DEFAULT_OUTPUT);
                PromptRow { messages, output_limit }
            })
            .collect();
        notes.extend(estimated_limits(estimated));
        Ok((Self { rows }, notes))
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The row of a request; warm-ups count from the end.
    pub fn row(&self, prompt: PromptId) -> &PromptRow {
        let place = (prompt.number % self.rows.len() as u64) as usize;
        &self.rows[if prompt.warmup { self.rows.len() - 1 - place } else { place }]
    }

    /// Size of the longest prompt, bytes.
    pub fn longest_bytes(&self) -> usize {
        let of = |row: &PromptRow| row.messages.messages.iter().map(|message| message.content.len()).sum();
        self.rows.iter().map(of).max().unwrap_or(0)
    }

    /// Appends the value of a request's prompt field. A warm-up's text begins with its number, so that the row's prefix is not
    /// in the engine's prefix cache afterwards.
    pub fn write(&self, prompt: PromptId, endpoint: Endpoint, out: &mut Vec<u8>) {
        let row = self.row(prompt);
        let mark = if prompt.warmup { format!("({}) ", prompt.number) } else { String::new() };
        if endpoint == Endpoint::Chat {
            for (place, message) in row.messages.messages.iter().enumerate() {
                out.extend_from_slice(if place == 0 { b"[{\"role\":" } else { b",{\"role\":" });
                write_text(&message.role, out);
                out.extend_from_slice(b",\"content\":");
                if place == 0 && !mark.is_empty() {
                    write_text(&(mark.clone() + &message.content), out);
                } else {
                    write_text(&message.content, out);
                }
                out.push(b'}');
            }
            out.push(b']');
        } else {
            let texts: Vec<&str> = row.messages.messages.iter().map(|message| message.content.as_str()).collect();
            write_text(&(mark + &texts.join("\n\n")), out);
        }
    }
}

/// The lengths of datasets' rows in the order of [`PromptDataset`], without their texts: eight bytes a row.
#[derive(Debug)]
pub struct RowLengths {
    /// Input tokens and output limit.
    rows: Vec<(u32, u32)>,
}

impl RowLengths {
    /// Reads the files row by row, as [`PromptDataset::read`] does without a tokenizer; `input` estimates a row's input tokens.
    ///
    /// # Errors
    /// When a file can't be read or is not what the plan says, and once `is_stopped`, which is asked at each row.
    pub fn read(
        files: &[DatasetFile],
        limit: Option<u32>,
        seed: u64,
        input: impl Fn(&DatasetRow) -> u32,
        is_stopped: impl Fn() -> bool,
    ) -> Result<(Self, Vec<String>), WorkloadError> {
        let mut rows = Vec::new();
        let mut estimated = 0_u64;
        for (number, file) in (1_u64..).zip(files) {
            let mut own = Vec::new();
            for_each_row(file, |row| {
                if is_stopped() {
                    return Err(WorkloadError::Stopped);
                }
                let reference = row.reference.as_deref().filter(|text| !text.is_empty() && limit.is_none());
                estimated += u64::from(reference.is_some());
                let output = limit.or_else(|| Some(estimate(reference?))).unwrap_or(DEFAULT_OUTPUT);
                own.push((input(&row), output));
                Ok(())
            })?;
            own.shuffle(&mut order_of(seed, number));
            rows.extend(own);
        }
        if rows.is_empty() {
            return Err(WorkloadError::NoRows);
        }
        Ok((Self { rows }, estimated_limits(estimated).into_iter().collect()))
    }

    /// Input tokens and output limit of a request that is not a warm-up.
    pub fn of(&self, number: u64) -> (u32, u32) {
        self.rows[(number % self.rows.len() as u64) as usize]
    }
}

/// The generator that shuffles a file's rows; files count from 1.
fn order_of(seed: u64, number: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed.wrapping_mul(31).wrapping_add(number))
}

fn estimated_limits(rows: u64) -> Option<String> {
    (rows > 0)
        .then(|| format!("Output limits of {rows} rows are estimates of their references' lengths, four characters a token."))
}

pub(super) fn write_text(text: &str, out: &mut Vec<u8>) {
    // writing to memory does not fail
    let _ = serde_json::to_writer(out, text);
}

pub(super) fn read_file(file: &DatasetFile) -> Result<Vec<DatasetRow>, WorkloadError> {
    let mut rows = Vec::new();
    for_each_row(file, |row| {
        rows.push(row);
        Ok(())
    })?;
    Ok(rows)
}

/// Hands on the rows of a file one by one; its digest is looked at in the end.
fn for_each_row(file: &DatasetFile, mut take: impl FnMut(DatasetRow) -> Result<(), WorkloadError>) -> Result<(), WorkloadError> {
    let name = if file.name.is_empty() { file.path.display().to_string() } else { file.name.clone() };
    let not_read = |source| WorkloadError::DatasetNotRead { name: name.clone(), source };
    let opened = File::open(&file.path).map_err(not_read)?;
    let mut digest = Sha256::new();
    for (number, line) in (1_u64..).zip(BufReader::new(opened).split(b'\n')) {
        let line = line.map_err(not_read)?;
        digest.update(&line);
        digest.update(b"\n");
        if line.trim_ascii().is_empty() {
            continue;
        }
        let row: DatasetRow =
            serde_json::from_slice(&line).map_err(|source| WorkloadError::NoRow { name: name.clone(), line: number, source })?;
        if row.messages.is_empty() {
            return Err(WorkloadError::NoMessage { name, line: number });
        }
        take(row)?;
    }
    let digest = hex::encode(digest.finalize());
    if file.sha256.as_ref().is_some_and(|expected| !expected.eq_ignore_ascii_case(&digest)) && !whole_file_matches(file) {
        return Err(WorkloadError::OtherDataset(name));
    }
    Ok(())
}

/// Whether the file's bytes have the plan's digest: hashed line by line, a last line without a line end gives another digest.
fn whole_file_matches(file: &DatasetFile) -> bool {
    let Ok(bytes) = std::fs::read(&file.path) else { return false };
    let digest = hex::encode(Sha256::digest(&bytes));
    file.sha256.as_ref().is_some_and(|expected| expected.eq_ignore_ascii_case(&digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &std::path::Path, name: &str, rows: usize) -> DatasetFile {
        let text: String = (0..rows)
            .map(|row| {
                format!(
                    "{{\"messages\":[{{\"role\":\"user\",\"content\":\"{name}{row} \\\"q\\\"\"}}],\"reference\":\"{}\"}}\n",
                    "x".repeat(4 * row)
                )
            })
            .collect();
        let path = folder.join(name);
        std::fs::write(&path, &text).unwrap();
        let sha256 = hex::encode(Sha256::digest(text.as_bytes()));
        DatasetFile { path, id: uuid::Uuid::nil(), name: name.to_owned(), sha256: Some(sha256), notes: Vec::new() }
    }

    fn content(dataset: &PromptDataset, number: u64) -> String {
        let mut out = Vec::new();
        dataset.write(PromptId { warmup: false, number }, Endpoint::Chat, &mut out);
        let messages: serde_json::Value = serde_json::from_slice(&out).unwrap();
        messages[0]["content"].as_str().unwrap().to_owned()
    }

    #[test]
    fn each_row_once_one_dataset_after_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let files = [file(folder.path(), "a", 20), file(folder.path(), "b", 10)];
        let (dataset, notes) = PromptDataset::read(&files, None, 7, None, &mut Tokens::Estimate).unwrap();
        let order: Vec<String> = (0..30).map(|number| content(&dataset, number)).collect();
        assert!(order[..20].iter().all(|text| text.starts_with('a')) && order[20..].iter().all(|text| text.starts_with('b')));
        assert_eq!(order.iter().collect::<std::collections::HashSet<_>>().len(), 30);
        assert_eq!(content(&dataset, 30), order[0]);
        assert_eq!(notes.len(), 1);
        let (other, _) = PromptDataset::read(&files, Some(9), 8, None, &mut Tokens::Estimate).unwrap();
        assert_ne!((0..30).map(|number| content(&other, number)).collect::<Vec<_>>(), order);
        assert_eq!(other.row(PromptId { warmup: false, number: 3 }).output_limit, 9);
        // the output limit is the reference's length, or 256 without a reference
        let limits: Vec<u32> = (0..20).map(|number| dataset.row(PromptId { warmup: false, number }).output_limit).collect();
        assert!(limits.contains(&19) && limits.contains(&256));
    }

    #[test]
    fn lengths_are_those_of_the_rows_in_the_same_order() {
        let folder = tempfile::tempdir().unwrap();
        let files = [file(folder.path(), "a", 20), file(folder.path(), "b", 10)];
        for limit in [None, Some(9)] {
            let (rows, notes) = PromptDataset::read(&files, limit, 7, None, &mut Tokens::Estimate).unwrap();
            let input = |row: &DatasetRow| row.messages[0].content.len() as u32;
            let (lengths, said) = RowLengths::read(&files, limit, 7, input, || false).unwrap();
            for number in 0..40 {
                let row = rows.row(PromptId { warmup: false, number });
                assert_eq!(lengths.of(number), (row.messages()[0].content.len() as u32, row.output_limit));
            }
            assert_eq!(said, notes);
        }
        let stopped = RowLengths::read(&files, None, 7, |_| 1, || true);
        assert!(matches!(stopped, Err(WorkloadError::Stopped)), "{stopped:?}");
    }

    #[test]
    fn another_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut wrong = file(folder.path(), "a", 3);
        wrong.sha256 = Some("00".repeat(32));
        assert!(PromptDataset::read(&[wrong], None, 1, None, &mut Tokens::Estimate).is_err());
    }
}
