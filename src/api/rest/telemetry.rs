//! What was sampled of a run's nodes and devices, as a file: every sample as its source gave it, in CSV or a JSON object a line.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use serde::Deserialize;
use uuid::Uuid;

use super::export::{FileFormat, Format, cell, csv_line, json_line};
use super::{Path, Query};
use crate::api::calls;
use crate::auth::SignedIn;
use crate::domain::problem::Problem;
use crate::domain::text::spreadsheet_cell;
use crate::state::AppState;
use dyno_measure::telemetry::{DeviceReading, Levels, Quantity, SampleContent, TelemetrySample};

/// Samples that are read at once.
const PIECE: u32 = 1_000;

/// The columns of the CSV. A row is of the node itself, or of one of its devices.
const COLUMNS: [&str; 18] = [
    "at_unix_ns",
    "node",
    "source",
    "pace_ms",
    "device",
    "device_name",
    "device_index",
    "device_serves",
    "cpu_percent",
    "utilization_percent",
    "memory_used_bytes",
    "power_w",
    "temperature_c",
    "energy_counter_j",
    "clock_limits",
    "event",
    "reason",
    "clock",
];

/// The query of the telemetry.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TelemetryQuery {
    /// `csv` or `ndjson` (the default); else by `Accept`.
    format: Option<String>,
}

/// Get a run's telemetry
///
/// All samples of the nodes under test and their devices while the load ran, in the order in which they came. In CSV a sample is a row for
/// the node and one for each device; what a source does not have is empty, and `clock_limits` is `none` where the source says that there
/// are none. `clock` says whose clock the time is by: `load` (or moved to it), `node` (of `kubelet` and `metrics_server`) or `portal`; how
/// far the last two are off the load's is not known.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/telemetry",
    tag = "runs",
    params(("id" = Uuid, Path, description = "The run."), TelemetryQuery),
    responses((status = 200, description = "The samples; none where nothing was sampled.", content(
        (TelemetrySample = "application/x-ndjson"),
        (String = "text/csv"),
    ))),
)]
pub(super) async fn telemetry(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
    Query(asked): Query<TelemetryQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if asked.format.as_deref() == Some("json") {
        return Err(Problem::field("format", "The format is csv or ndjson."));
    }
    let format = match Format::of(asked.format.as_deref(), &headers)? {
        Format::File(format) => format,
        // There are no pages of samples: a client that accepts JSON gets it line by line.
        Format::Json => FileFormat::Ndjson,
    };
    // The first piece before the answer begins: a run that is not there is a 404.
    let first = calls::runs::telemetry_after(&app, &actor, id, 0, PIECE).await?;
    let head = format.head(&COLUMNS);
    let pieces = stream::unfold(Some((first, head)), move |state| {
        let (app, actor) = (app.clone(), actor.clone());
        async move {
            let (piece, mut bytes) = state?;
            for (_, sample) in &piece {
                bytes.extend(match format {
                    FileFormat::Csv => rows(sample),
                    FileFormat::Ndjson => json_line(sample),
                });
            }
            let next = match piece.last() {
                Some((last, _)) if piece.len() == PIECE as usize => {
                    match calls::runs::telemetry_after(&app, &actor, id, *last, PIECE).await {
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
    Ok((format.headers(&format!("dyno-{id}-telemetry")), Body::from_stream(pieces.fuse())).into_response())
}

fn rows(sample: &TelemetrySample) -> Vec<u8> {
    let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    let levels = |levels: &Levels| Quantity::ALL.map(|quantity| number(levels.get(quantity)));
    let begin = |pace: String| {
        vec![sample.at_unix_ns.to_string(), spreadsheet_cell(&sample.node), sample.source.as_str().to_owned(), pace]
    };
    let empty = |count: usize| std::iter::repeat_n(String::new(), count);
    match &sample.content {
        SampleContent::Failure { reason } => {
            let rest = empty(11).chain(["failure".to_owned(), spreadsheet_cell(reason), String::new()]);
            csv_line(&begin(String::new()).into_iter().chain(rest).collect::<Vec<_>>())
        }
        SampleContent::Reading(reading) => {
            let pace = reading.pace_ms.to_string();
            let clock = || sample.source.clock(reading.clock_offset_ms).as_str().to_owned();
            let mut bytes = Vec::new();
            if !reading.levels.is_empty() {
                let end = ["reading".to_owned(), String::new(), clock()];
                let rest = empty(4).chain(levels(&reading.levels)).chain(empty(2)).chain(end);
                bytes.extend(csv_line(&begin(pace.clone()).into_iter().chain(rest).collect::<Vec<_>>()));
            }
            for device in &reading.devices {
                let rest = device_cells(device).into_iter().chain(levels(&device.levels)).chain([
                    number(device.energy_counter_j),
                    device.clock_limits.as_ref().map(|limits| limits_cell(limits)).unwrap_or_default(),
                    "reading".to_owned(),
                    String::new(),
                    clock(),
                ]);
                bytes.extend(csv_line(&begin(pace.clone()).into_iter().chain(rest).collect::<Vec<_>>()));
            }
            bytes
        }
    }
}

fn device_cells(device: &DeviceReading) -> [String; 4] {
    [
        spreadsheet_cell(&device.id),
        device.name.as_deref().map(spreadsheet_cell).unwrap_or_default(),
        device.index.map(|index| index.to_string()).unwrap_or_default(),
        device.serves.map(|serves| serves.to_string()).unwrap_or_default(),
    ]
}

/// Reasons by their names; `none` if there is no reason, since empty means unknown.
fn limits_cell(limits: &[dyno_measure::telemetry::ClockLimit]) -> String {
    if limits.is_empty() {
        return "none".to_owned();
    }
    let names = limits.iter().map(|limit| cell(serde_json::to_value(limit).ok().as_ref()));
    names.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use dyno_measure::telemetry::{ClockLimit, Reading, TelemetrySource};

    #[test]
    fn a_sample_is_a_row_for_the_node_and_one_for_each_device() {
        let device = DeviceReading {
            id: "GPU-a".to_owned(),
            name: Some("=cmd".to_owned()),
            index: Some(0),
            serves: Some(true),
            levels: Levels { power_w: Some(512.5), ..Levels::default() },
            energy_counter_j: Some(7.25),
            clock_limits: Some(vec![ClockLimit::PowerCap, ClockLimit::Heat]),
        };
        let idle = DeviceReading { id: "GPU-b".to_owned(), clock_limits: Some(Vec::new()), ..DeviceReading::default() };
        let levels = Levels { cpu_percent: Some(12.5), memory_used_bytes: Some(1e9), ..Levels::default() };
        let reading = Reading { pace_ms: 1_000, levels, devices: vec![device, idle], ..Reading::default() };
        let sample = TelemetrySample::new(5, "n", TelemetrySource::Nvml, SampleContent::Reading(reading));
        let text = String::from_utf8(rows(&sample)).unwrap();
        assert_eq!(
            text,
            "5,n,nvml,1000,,,,,12.5,,1000000000,,,,,reading,,load\n\
             5,n,nvml,1000,GPU-a,'=cmd,0,true,,,,512.5,,7.25,power_cap heat,reading,,load\n\
             5,n,nvml,1000,GPU-b,,,,,,,,,,none,reading,,load\n"
        );
        let failure = TelemetrySample::new(6, "n", TelemetrySource::Proc, SampleContent::Failure { reason: "Gone.".to_owned() });
        let text = String::from_utf8(rows(&failure)).unwrap();
        assert_eq!(text, "6,n,proc,,,,,,,,,,,,,failure,Gone.,\n");
        assert!(text.trim_end().split(',').count() == COLUMNS.len());
        let of_kubelet = Reading { pace_ms: 10_000, levels, ..Reading::default() };
        let told = SampleContent::Reading(of_kubelet);
        let text = String::from_utf8(rows(&TelemetrySample::new(7, "n", TelemetrySource::Kubelet, told))).unwrap();
        assert!(text.ends_with(",node\n"), "its clock is the node's: {text}");
    }
}
