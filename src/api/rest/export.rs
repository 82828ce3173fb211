//! All request records of a run as a file: CSV or a JSON object a line, read from the store piece by piece. Beside the
//! fields of the record each line says whether the run is valid, and why not: whoever cuts, joins or filters the file still
//! has it, and parsers need to know nothing of it.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::api::calls;
use crate::domain::list::Page;
use crate::domain::problem::Problem;
use crate::domain::text::spreadsheet_cell;
use crate::domain::user::Actor;
use crate::state::AppState;
use dyno_measure::report::RequestRecord;
use dyno_measure::run::RunKind;

/// Records that are read at once.
const PIECE: u32 = 1_000;

/// What is said of the run beside each record: `true` or `false`, empty (absent) while there is no report; and the reasons.
const OF_THE_RUN: [&str; 3] = ["run_kind", "run_valid", "run_invalid_reasons"];

/// The columns of the CSV that are the fields of a record.
const COLUMNS: [&str; 27] = [
    "id",
    "node",
    "load_point",
    "phase",
    "scheduled_unix_ns",
    "sent_unix_ns",
    "first_content_unix_ns",
    "last_content_unix_ns",
    "ended_unix_ns",
    "ttft_ms",
    "ttfo_ms",
    "tpot_ms",
    "e2el_ms",
    "events",
    "input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cached_tokens",
    "requested_input_tokens",
    "requested_output_tokens",
    "token_source",
    "finish_reason",
    "error_class",
    "error",
    "http_status",
    "retry_after_s",
    "retries",
];

/// How records are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// A page of it.
    Json,
    /// All records as one file.
    File(FileFormat),
}

/// The formats of files that are written row by row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileFormat {
    /// Comma-separated, with a header.
    Csv,
    /// A JSON object a line.
    Ndjson,
}

impl FileFormat {
    /// What comes before the first row.
    pub(super) fn head<T: AsRef<[u8]>>(self, columns: &[T]) -> Vec<u8> {
        match self {
            Self::Csv => csv_line(columns),
            Self::Ndjson => Vec::new(),
        }
    }

    /// Headers of an answer that browsers save under a name.
    pub(super) fn headers(self, name: &str) -> [(HeaderName, String); 2] {
        let (kind, extension) = match self {
            Self::Csv => ("text/csv; charset=utf-8", "csv"),
            Self::Ndjson => ("application/x-ndjson", "ndjson"),
        };
        let disposition = format!("attachment; filename=\"{name}.{extension}\"");
        [(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, disposition)]
    }
}

impl Format {
    /// What the query says, or else what `Accept` prefers.
    pub(super) fn of(asked: Option<&str>, headers: &HeaderMap) -> Result<Self, Problem> {
        match asked {
            Some("json") => return Ok(Self::Json),
            Some("csv") => return Ok(Self::File(FileFormat::Csv)),
            Some("ndjson") => return Ok(Self::File(FileFormat::Ndjson)),
            Some(_) => return Err(Problem::field("format", "The format is json, csv or ndjson.")),
            None => {}
        }
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kinds = accept.split(',').map(|kind| kind.split(';').next().unwrap_or_default().trim());
        for kind in kinds {
            match kind {
                "text/csv" => return Ok(Self::File(FileFormat::Csv)),
                "application/x-ndjson" | "application/ndjson" | "application/jsonl" => {
                    return Ok(Self::File(FileFormat::Ndjson));
                }
                "application/json" => return Ok(Self::Json),
                _ => {}
            }
        }
        Ok(Self::Json)
    }
}

/// Whether a run's figures can be trusted, and whether they are measured at all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[allow(clippy::struct_field_names, reason = "fields of each record, beside those of the request")]
pub(super) struct Validity {
    /// Whether the run measured or simulated; absent while there is no report.
    #[serde(skip_serializing_if = "Option::is_none")]
    run_kind: Option<RunKind>,
    /// Whether the figures can be trusted; absent while there is no report.
    #[serde(skip_serializing_if = "Option::is_none")]
    run_valid: Option<bool>,
    /// Why the run is not valid; empty when it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    run_invalid_reasons: Vec<String>,
}

impl Validity {
    /// What a run's report says.
    pub(super) async fn of(app: &AppState, actor: &Actor, id: Uuid) -> Self {
        match calls::runs::report(app, actor, id).await {
            Ok(report) => {
                Self { run_kind: Some(report.kind), run_valid: Some(report.valid), run_invalid_reasons: report.invalid_reasons }
            }
            Err(_) => Self::default(),
        }
    }

    fn cells(&self) -> [String; 3] {
        let kind = self.run_kind.as_ref().map(RunKind::into_str).unwrap_or_default().to_owned();
        let valid = self.run_valid.map(|valid| valid.to_string()).unwrap_or_default();
        [kind, valid, cell(Some(&Value::String(self.run_invalid_reasons.join(" "))))]
    }
}

/// A page of records, and whether their run can be trusted.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct RecordsPage {
    #[serde(flatten)]
    pub page: Page<RequestRecord>,
    #[serde(flatten)]
    pub validity: Validity,
}

/// A record, and whether its run can be trusted.
#[derive(Serialize)]
struct ExportedRecord<'a> {
    #[serde(flatten)]
    record: &'a RequestRecord,
    #[serde(flatten)]
    validity: &'a Validity,
}

/// The file, as it is read from the store.
pub(super) async fn records(app: AppState, actor: Actor, id: Uuid, format: FileFormat) -> Result<Response, Problem> {
    // The first piece before the answer begins: a run that is not there is a 404.
    let first = calls::runs::requests_after(&app, &actor, id, 0, PIECE).await?;
    let validity = Validity::of(&app, &actor, id).await;
    let header: Vec<String> = COLUMNS.into_iter().chain(OF_THE_RUN).map(str::to_owned).collect();
    let head = format.head(&header);
    let pieces = stream::unfold(Some((first, head)), move |state| {
        let (app, actor, validity) = (app.clone(), actor.clone(), validity.clone());
        async move {
            let (piece, mut bytes) = state?;
            for (_, record) in &piece {
                bytes.extend(line(record, &validity, format));
            }
            let next = match piece.last() {
                Some((last, _)) if piece.len() == PIECE as usize => {
                    match calls::runs::requests_after(&app, &actor, id, *last, PIECE).await {
                        Ok(next) => Some((next, Vec::new())),
                        // Broken off, so that half a file is not taken for a whole one.
                        Err(problem) => return Some((Err(std::io::Error::other(problem)), None)),
                    }
                }
                _ => None,
            };
            Some((Ok::<_, std::io::Error>(Bytes::from(bytes)), next))
        }
    });
    // Fused: compression asks once more after the end.
    Ok((format.headers(&format!("dyno-{id}-requests")), Body::from_stream(pieces.fuse())).into_response())
}

fn line(record: &RequestRecord, validity: &Validity, format: FileFormat) -> Vec<u8> {
    match format {
        FileFormat::Csv => {
            let value = serde_json::to_value(record).unwrap_or_default();
            let cells: Vec<String> = COLUMNS.iter().map(|column| cell(value.get(*column))).chain(validity.cells()).collect();
            csv_line(&cells)
        }
        FileFormat::Ndjson => json_line(&ExportedRecord { record, validity }),
    }
}

pub(super) fn json_line(row: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(row).unwrap_or_default();
    line.push(b'\n');
    line
}

/// A value as a cell. Text that a spreadsheet would run gets an apostrophe before it; numbers stay numbers.
pub fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => spreadsheet_cell(text),
        Some(other) => other.to_string(),
    }
}

pub fn csv_line<T: AsRef<[u8]>>(cells: &[T]) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    // Writing to memory does not fail.
    let _ = writer.write_record(cells);
    writer.into_inner().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dyno_measure::report::{ErrorClass, Phase, TokenSource};

    fn record() -> RequestRecord {
        serde_json::from_value(serde_json::json!({
            "id": "a-1", "node": "=cmd", "load_point": 0, "phase": "measured", "ttft_ms": -1.5, "error": "a,\"b\"\nc", "events": 3
        }))
        .unwrap()
    }

    #[test]
    fn cells_that_a_spreadsheet_would_run_are_text() {
        let text = String::from_utf8(line(&record(), &Validity::default(), FileFormat::Csv)).unwrap();
        assert!(text.starts_with("a-1,'=cmd,0,measured,"), "{text}");
        assert!(text.contains(",-1.5,"));
        assert!(text.contains("\"a,\"\"b\"\"\nc\""));
    }

    #[test]
    fn every_line_says_whether_the_run_is_valid() {
        let validity = Validity {
            run_kind: Some(RunKind::Simulated),
            run_valid: Some(false),
            run_invalid_reasons: vec!["The client was the bottleneck.".to_owned(), "It was late, too.".to_owned()],
        };
        let text = String::from_utf8(line(&record(), &validity, FileFormat::Csv)).unwrap();
        assert!(text.ends_with(",simulated,false,\"The client was the bottleneck. It was late, too.\"\n"), "{text}");
        let json: Value = serde_json::from_slice(&line(&record(), &validity, FileFormat::Ndjson)).unwrap();
        assert_eq!((&json["id"], &json["run_valid"]), (&"a-1".into(), &false.into()));
        assert_eq!(json["run_invalid_reasons"].as_array().unwrap().len(), 2);
        let unknown: Value = serde_json::from_slice(&line(&record(), &Validity::default(), FileFormat::Ndjson)).unwrap();
        assert!(unknown.get("run_valid").is_none());
        // a record is read back from a line as ever
        let back: RequestRecord = serde_json::from_value(json).unwrap();
        assert_eq!(back, record());
    }

    #[test]
    fn every_field_of_a_record_is_a_column() {
        // all of them, so that a new one has to be written here
        let full = RequestRecord {
            id: "a-1".to_owned(),
            node: "n".to_owned(),
            load_point: 0,
            phase: Phase::Warmup,
            scheduled_unix_ns: Some(1),
            sent_unix_ns: Some(1),
            first_content_unix_ns: Some(1),
            last_content_unix_ns: Some(1),
            ended_unix_ns: Some(1),
            ttft_ms: Some(1.0),
            ttfo_ms: Some(1.0),
            tpot_ms: Some(1.0),
            e2el_ms: Some(1.0),
            events: 1,
            input_tokens: Some(1),
            output_tokens: Some(1),
            reasoning_tokens: Some(1),
            cached_tokens: Some(1),
            requested_input_tokens: Some(1),
            requested_output_tokens: Some(1),
            token_source: Some(TokenSource::Usage),
            finish_reason: Some("stop".to_owned()),
            error_class: Some(ErrorClass::Timeout),
            error: Some("e".to_owned()),
            http_status: Some(200),
            retry_after_s: Some(1.0),
            retries: Some(1),
        };
        let names: Vec<String> = serde_json::to_value(&full).unwrap().as_object().unwrap().keys().cloned().collect();
        assert_eq!(names.len(), COLUMNS.len());
        for name in names {
            assert!(COLUMNS.contains(&name.as_str()), "{name}");
        }
    }

    #[test]
    fn the_query_comes_before_accept() {
        let mut headers = HeaderMap::new();
        assert_eq!(Format::of(None, &headers).unwrap(), Format::Json);
        headers.insert(header::ACCEPT, "text/html, text/csv;q=0.9".parse().unwrap());
        assert_eq!(Format::of(None, &headers).unwrap(), Format::File(FileFormat::Csv));
        assert_eq!(Format::of(Some("ndjson"), &headers).unwrap(), Format::File(FileFormat::Ndjson));
        assert!(Format::of(Some("xml"), &headers).is_err());
    }
}
