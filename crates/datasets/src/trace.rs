//! Reads a trace for replay: its arrivals sorted by time.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::arrival::arrival;
use super::read_error::{LineError, RowError};
use super::{MAX_HASH_IDS, MAX_ROW_BYTES, MAX_ROWS, file_rows, lines_of};
use dyno_measure::dataset::{LeftOut, TraceRow};

/// Why a trace can't be replayed.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    #[error("The trace {name} can't be read: {source}.")]
    NotRead { name: String, source: std::io::Error },
    #[error("The trace {0} has more than {MAX_ROWS} rows.")]
    TooManyRows(String),
    #[error("The trace {0} has more than {MAX_HASH_IDS} hash_ids.")]
    TooManyHashIds(String),
    /// A line is not an arrival.
    #[error("Line {} of the trace {name}: {}.", error.line, error.message)]
    Line { name: String, error: LineError },
    #[error("The trace {0} has no arrivals.")]
    Empty(String),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// Sorted by time.
    pub arrivals: Vec<TraceRow>,
    /// Rows that are not arrivals of requests.
    pub left_out: Vec<LeftOut>,
}

/// Reads the normalised arrivals of a dataset, in the order of its file, one at a time.
pub fn read_arrivals(path: &Path) -> std::io::Result<impl Iterator<Item = std::io::Result<TraceRow>>> {
    lines_of(path)
}

/// The earliest arrivals of a dataset, sorted by time; no more than these are kept at any time.
pub fn first_arrivals(path: &Path, count: usize) -> std::io::Result<Vec<TraceRow>> {
    let mut first: Vec<TraceRow> = Vec::new();
    for row in read_arrivals(path)? {
        let row = row?;
        let place = first.partition_point(|kept| kept.timestamp.total_cmp(&row.timestamp).is_le());
        if place < count {
            first.insert(place, row);
            first.truncate(count);
        }
    }
    Ok(first)
}

/// Reads a trace in any supported format; `name` is used in errors.
pub fn read_trace(path: &Path, name: &str) -> Result<Trace, TraceError> {
    let file = File::open(path).map_err(|source| TraceError::NotRead { name: name.to_owned(), source })?;
    let mut arrivals = Vec::new();
    let mut left_out = Vec::new();
    let mut wrong = None;
    let mut hash_ids = 0;
    let file_name = path.to_string_lossy();
    file_rows::each_row_of_file(file, &file_name, MAX_ROW_BYTES, &AtomicBool::new(false), &mut |(line, parsed)| {
        let row = parsed.map_err(RowError::from).and_then(|parsed| {
            let row = parsed.value.as_object().and_then(arrival);
            row.unwrap_or_else(|| Err("no arrival: it needs timestamp, input_length and output_length".into()))
        });
        match row {
            Ok(_) if arrivals.len() as u64 >= MAX_ROWS => {
                wrong = Some(TraceError::TooManyRows(name.to_owned()));
            }
            Ok((_, row)) => {
                hash_ids += row.hash_ids.len() as u64;
                if hash_ids > MAX_HASH_IDS {
                    wrong = Some(TraceError::TooManyHashIds(name.to_owned()));
                }
                arrivals.push(row);
            }
            Err(RowError::Nothing(reason)) => LeftOut::count(&mut left_out, reason),
            Err(RowError::Unreadable(message)) => {
                wrong = Some(TraceError::Line { name: name.to_owned(), error: LineError { line, message } });
            }
        }
        wrong.is_none()
    });
    match wrong {
        Some(error) => Err(error),
        None if arrivals.is_empty() => Err(TraceError::Empty(name.to_owned())),
        None => {
            arrivals.sort_by(|one, other| one.timestamp.total_cmp(&other.timestamp));
            Ok(Trace { arrivals, left_out })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<Vec<TraceRow>, TraceError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        read_trace(&path, name).map(|trace| trace.arrivals)
    }

    #[test]
    fn burst_gpts_table() {
        let header = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n";
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.csv");
        std::fs::write(&path, format!("{header}45.5,GPT-4,417,276,693,API log\n5,ChatGPT,472,0,472,x\n6,ChatGPT,0,0,0,x\n"))
            .unwrap();
        let trace = read_trace(&path, "b").unwrap();
        let row = |timestamp, input_length, output_length| TraceRow { timestamp, input_length, output_length, hash_ids: vec![] };
        assert_eq!(trace.arrivals, [row(5_000.0, 472, 0), row(45_500.0, 417, 276)]);
        assert_eq!(trace.left_out, [LeftOut { reason: "the request has no tokens".to_owned(), rows: 1 }]);
        let error = read("c.csv", "when,how much\n1,2\n").unwrap_err().to_string();
        assert!(error.contains("when, how much") && error.contains("TIMESTAMP") && error.contains("Request tokens"), "{error}");
    }

    #[test]
    fn azures_table() {
        let rows = read(
            "a.csv",
            "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:15:50.9951690,396,109\r\n2023-11-16 18:15:46.6805900,374,44\r\n",
        )
        .unwrap();
        assert_eq!((rows[0].input_length, rows[0].output_length, rows[1].input_length), (374, 44, 396), "sorted");
        assert!((rows[1].timestamp - rows[0].timestamp - 4_314.579).abs() < 1e-3);
        let zoned = read("b.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-10 00:00:00.009930+00:00,2,0\n").unwrap();
        assert!((zoned[0].timestamp - 1_715_299_200_009.93).abs() < 1e-3);
    }

    #[test]
    fn mooncakes_lines() {
        let rows =
            read("m.jsonl", "{\"timestamp\": 3.5, \"input_length\": 600, \"output_length\": 5, \"hash_ids\": [0, 7]}\n").unwrap();
        let expected = TraceRow { timestamp: 3.5, input_length: 600, output_length: 5, hash_ids: vec![0, 7] };
        assert_eq!(rows, std::slice::from_ref(&expected));
        // the stored format can be read again
        assert_eq!(read("k.jsonl", &serde_json::to_string(&expected).unwrap()).unwrap(), [expected]);
    }

    #[test]
    fn the_earliest_arrivals_come_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.jsonl");
        let line = |at: u32, input: u32| format!("{{\"timestamp\":{at},\"input_length\":{input},\"output_length\":5}}\n");
        std::fs::write(&path, [line(7, 1), line(3, 2), line(9, 3), line(3, 4), line(1, 5)].concat()).unwrap();
        let inputs = |count| first_arrivals(&path, count).unwrap().iter().map(|row| row.input_length).collect::<Vec<_>>();
        assert_eq!((inputs(3), inputs(9), inputs(0)), (vec![5, 2, 4], vec![5, 2, 4, 1, 3], vec![]));
        std::fs::write(&path, "{}\n").unwrap();
        assert!(first_arrivals(&path, 3).is_err());
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (name, text, says) in [
            ("a.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\nnoon,1,2\n", "Line 2 of the trace a.csv: timestamp must"),
            ("a.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,0,2\n", "contexttokens must be a whole"),
            ("m.jsonl", "{\"timestamp\": 1, \"input_length\": 1.5, \"output_length\": 5}", "input_length must be a whole"),
            ("m.jsonl", "{\"timestamp\": 1, \"input_length\": 1, \"output_length\": 5, \"hash_ids\": [-1]}", "hash_ids"),
            ("m.jsonl", "{\"prompt\": \"x\"}", "no arrival"),
            ("m.jsonl", "", "no arrivals"),
        ] {
            let error = read(name, text).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        assert!(read_trace(Path::new("/no/such"), "x").is_err());
    }
}
