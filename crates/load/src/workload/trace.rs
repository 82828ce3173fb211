//! A trace's arrivals and lengths, made ready to be played.

use sha2::{Digest, Sha256};

use super::error::WorkloadError;
use super::synthetic::TraceRequest;
use dyno_datasets::read_trace;
use dyno_measure::dataset::LeftOut;
use dyno_measure::plan::DatasetFile;

/// What a trace is played by.
#[derive(Debug, Clone, Copy)]
pub struct Played {
    /// How many times as fast as it was recorded.
    pub time_scale: f64,
    /// Most output tokens of a request.
    pub max_output_tokens: Option<u32>,
    /// Longest request, input and output together.
    pub context_tokens: Option<u32>,
    /// Whether answers have no tokens.
    pub embeddings: bool,
}

/// Reads a trace; with notes on how it differs from what was recorded.
///
/// # Errors
/// When it can't be read, or no request is left.
pub fn listed(file: &DatasetFile, played: Played) -> Result<(Vec<TraceRequest>, Vec<String>), WorkloadError> {
    let name = if file.name.is_empty() { file.path.display().to_string() } else { file.name.clone() };
    if let Some(expected) = &file.sha256 {
        let bytes = std::fs::read(&file.path).map_err(|source| WorkloadError::TraceNotRead { name: name.clone(), source })?;
        if !expected.eq_ignore_ascii_case(&hex::encode(Sha256::digest(&bytes))) {
            return Err(WorkloadError::OtherTrace(name));
        }
    }
    let trace = read_trace(&file.path, &name)?;
    let mut rows = trace.arrivals;
    let all = rows.len();
    let mut lowered = 0;
    for row in &mut rows {
        row.output_length = row.output_length.max(1);
        if let Some(limit) = played.max_output_tokens.filter(|limit| *limit < row.output_length) {
            row.output_length = limit;
            lowered += 1;
        }
    }
    let mut notes: Vec<_> = LeftOut::sentence(&trace.left_out, &name, all as u64).into_iter().collect();
    if let Some(context) = played.context_tokens {
        let output = |length: u32| if played.embeddings { 0 } else { u64::from(length) };
        rows.retain(|row| u64::from(row.input_length) + output(row.output_length) <= u64::from(context));
        let left_out = all - rows.len();
        if rows.is_empty() {
            return Err(WorkloadError::TraceTooLong { name, context });
        }
        if left_out > 0 {
            notes.push(format!(
                "{left_out} of {all} requests of the trace are longer, input and output together, than the model's context of {context} tokens: they were left out."
            ));
        }
    }
    if lowered > 0 && !played.embeddings {
        notes.push(format!("The output limits of {lowered} of the trace's requests were lowered, as asked."));
    }
    let begin = rows.first().map_or(0.0, |row| row.timestamp);
    let listed: Vec<TraceRequest> = rows
        .into_iter()
        .map(|row| TraceRequest {
            at: ((row.timestamp - begin) / played.time_scale * 1e6) as i64,
            input: row.input_length,
            output: row.output_length,
            blocks: row.hash_ids.into(),
        })
        .collect();
    let span = listed.last().map_or(0.0, |last| last.at as f64 / 1e9);
    let speed = if (played.time_scale - 1.0).abs() < f64::EPSILON {
        "as it was recorded".to_owned()
    } else {
        format!("{} times as fast as it was recorded", played.time_scale)
    };
    notes.push(format!("The trace's {} arrivals span {span:.1} s, played {speed}.", listed.len()));
    Ok((listed, notes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &std::path::Path) -> DatasetFile {
        let path = folder.join("trace.jsonl");
        let rows = [(500, 100, 5), (1_500, 20, 50), (3_500, 10, 0)].map(|(at, input, output)| {
            format!("{{\"timestamp\":{at},\"input_length\":{input},\"output_length\":{output},\"hash_ids\":[1]}}\n")
        });
        std::fs::write(&path, rows.concat()).unwrap();
        DatasetFile { path, id: uuid::Uuid::nil(), name: "day".to_owned(), sha256: None, notes: Vec::new() }
    }

    #[test]
    fn times_are_scaled_and_what_does_not_fit_is_left_out_and_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(folder.path());
        let played = Played { time_scale: 2.0, max_output_tokens: Some(30), context_tokens: Some(100), embeddings: false };
        let (rows, notes) = listed(&file, played).unwrap();
        assert_eq!(
            rows.iter().map(|row| (row.at, row.input, row.output)).collect::<Vec<_>>(),
            [(0, 20, 30), (1_000_000_000, 10, 1)]
        );
        assert!(
            notes[0].starts_with("1 of 3 requests") && notes[1].contains("1 of the trace's") && notes[2].contains("2 times"),
            "{notes:?}"
        );
        let (rows, _) = listed(&file, Played { embeddings: true, ..played }).unwrap();
        assert_eq!(rows.len(), 3);
        assert!(
            listed(&file, Played { context_tokens: Some(5), ..played })
                .unwrap_err()
                .to_string()
                .contains("longer than the model's context")
        );
        let other = DatasetFile { sha256: Some("00".repeat(32)), ..file };
        assert!(listed(&other, played).unwrap_err().to_string().contains("digest differs"));
    }
}
