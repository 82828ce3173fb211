//! Rows of traces: arrival and lengths of a request. Three published formats are read: Azure's table
//! (`TIMESTAMP,ContextTokens,GeneratedTokens`), BurstGPT's (`Timestamp,Model,Request tokens,Response tokens,…`, in seconds) and
//! Mooncake's lines (`timestamp`, `input_length`, `output_length`, `hash_ids`), which is also the stored format.

use serde_json::{Map, Value};

use super::fields::{REQUEST_TOKENS, RESPONSE_TOKENS};
use super::read_error::RowError;
use dyno_measure::dataset::{DatasetFormat, TraceRow};

/// Most tokens of a request, input or output.
const MOST_TOKENS: u64 = 10_000_000;

/// Reads a row with a trace's fields; `None` for any other row.
pub(super) fn arrival(object: &Map<String, Value>) -> Option<Result<(DatasetFormat, TraceRow), RowError>> {
    let has = |name: &str| object.contains_key(name);
    if has("timestamp") && has("input_length") && has("output_length") {
        Some(mooncake(object).map(|row| (DatasetFormat::MooncakeTrace, row)))
    } else if has("timestamp") && has("contexttokens") && has("generatedtokens") {
        Some(azure(object).map(|row| (DatasetFormat::AzureTrace, row)))
    } else if has("timestamp") && has(REQUEST_TOKENS) && has(RESPONSE_TOKENS) {
        Some(burst_gpt(object).map(|row| (DatasetFormat::BurstGptTrace, row)))
    } else {
        None
    }
}

fn mooncake(object: &Map<String, Value>) -> Result<TraceRow, RowError> {
    let timestamp = object.get("timestamp").and_then(number).ok_or("timestamp must be a number of milliseconds")?;
    let ids = match object.get("hash_ids") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(ids)) => {
            ids.iter().map(|id| id.as_u64().ok_or("hash_ids must be whole numbers")).collect::<Result<_, _>>()?
        }
        Some(_) => return Err("hash_ids must be a list".into()),
    };
    Ok(TraceRow {
        timestamp,
        input_length: tokens(object, "input_length", 1)?,
        output_length: tokens(object, "output_length", 0)?,
        hash_ids: ids,
    })
}

fn azure(object: &Map<String, Value>) -> Result<TraceRow, RowError> {
    let wrong = "timestamp must look like 2023-11-16 18:15:46.68";
    let text = object.get("timestamp").and_then(Value::as_str).ok_or(wrong)?;
    Ok(TraceRow {
        timestamp: time_ms(text).ok_or(wrong)?,
        input_length: tokens(object, "contexttokens", 1)?,
        output_length: tokens(object, "generatedtokens", 0)?,
        hash_ids: Vec::new(),
    })
}

fn burst_gpt(object: &Map<String, Value>) -> Result<TraceRow, RowError> {
    let seconds = object.get("timestamp").and_then(number).ok_or("timestamp must be a number of seconds")?;
    if object.get(REQUEST_TOKENS).and_then(number) == Some(0.0) {
        return Err(RowError::Nothing("the request has no tokens"));
    }
    Ok(TraceRow {
        timestamp: seconds * 1e3,
        input_length: tokens(object, REQUEST_TOKENS, 1)?,
        output_length: tokens(object, RESPONSE_TOKENS, 0)?,
        hash_ids: Vec::new(),
    })
}

/// Parses a date and time, with or without a UTC offset, to ms since 1970.
fn time_ms(text: &str) -> Option<f64> {
    let text = text.trim();
    let at = text.parse::<jiff::Timestamp>().ok().or_else(|| {
        let civil = text.parse::<jiff::civil::DateTime>().ok()?;
        jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()
    })?;
    // a double holds microseconds exactly for three centuries, nanoseconds not
    Some((at.as_nanosecond() / 1_000) as f64 / 1e3 + (at.as_nanosecond() % 1_000) as f64 / 1e6)
}

/// A number, also as a string, as tables have it.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|number| number.is_finite())
}

fn tokens(object: &Map<String, Value>, field: &str, least: u64) -> Result<u32, RowError> {
    object
        .get(field)
        .and_then(number)
        .filter(|number| number.fract() == 0.0 && (least as f64..=MOST_TOKENS as f64).contains(number))
        .map(|number| number as u32)
        .ok_or_else(|| format!("{field} must be a whole number, {least} or more").into())
}
