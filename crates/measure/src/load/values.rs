//! Strict readers for the JSON values of a load's options; errors are sentences.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Arrival, ArrivalProcess, LengthDistribution, OfferedLoad, Prefix, RequestHeader, Slo, SloSearch};
use crate::plan::{HeaderError, OWN_FIELDS, PlanHeader};
use crate::words::{grouped, one_of};

/// Most requests in flight.
pub const MOST_CONCURRENT: u32 = 10_000;
/// Most tokens in or out.
pub const MOST_TOKENS: u32 = 1_000_000;
/// Most requests per second.
pub const MOST_RATE: f64 = 100_000.0;
/// Longest latency limit, ms: a day.
const MOST_MS: f64 = 86_400_000.0;
/// Most load points of a sweep.
const MOST_POINTS: usize = 50;
const MOST_BURSTINESS: f64 = 1_000.0;
const MOST_DATASETS: usize = 100;
const MOST_HEADERS: usize = 20;
/// Longest header value, bytes: servers accept heads of 8 kB.
const LONGEST_HEADER: usize = 4_096;
/// Largest `extra_body`, bytes of JSON.
const LONGEST_FIELDS: usize = 16 << 10;
/// Characters of an unknown name that are repeated.
const LONGEST_NAME: usize = 50;

/// Why a value is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ValueError {
    #[error("{title} must be a whole number, {} or more.", grouped(*least))]
    NotWhole { title: String, least: u64 },
    #[error("{title} must be a whole number between {} and {}.", grouped(*least), grouped(*most))]
    NotWholeBetween { title: String, least: u64, most: u64 },
    #[error("{title} must be a number above 0, up to {}.", grouped(*most as u64))]
    NotPositive { title: String, most: f64 },
    #[error("{title} must be a number from 0 to {}.", grouped(*most as u64))]
    NotFromZero { title: String, most: f64 },
    #[error("{name} must be true or false.")]
    NotSwitch { name: String },
    #[error("{title} must be {}.", one_of(names))]
    NotOneOf { title: String, names: Vec<&'static str> },
    #[error("{title} must be an object.")]
    NotObject { title: String },
    #[error("{title}: there is no field {field}, only {}.", known.join(", "))]
    UnknownField { title: String, field: String, known: Vec<&'static str> },
    #[error("Datasets must be a list of ids.")]
    NotIds,
    #[error("There is no dataset {0}.")]
    NoDataset(String),
    #[error("Dataset {0} is chosen twice.")]
    DatasetTwice(Uuid),
    #[error("Arrival needs a kind: closed or rate.")]
    NoArrivalKind,
    #[error("Enter a rate, in requests per second.")]
    NoRate,
    #[error("Burstiness goes with the process gamma only.")]
    BurstinessAlone,
    #[error("Load points must be a list.")]
    NotPoints,
    #[error("Choose at most {MOST_DATASETS} datasets.")]
    TooManyDatasets,
    #[error("At most {MOST_POINTS} load points; these are {}.", grouped(*.0 as u64))]
    TooManyPoints(usize),
    #[error("Load points must be all concurrencies or all rates.")]
    MixedPoints,
    #[error("A load point is given twice.")]
    PointTwice,
    #[error("Headers must be a list.")]
    NotHeaders,
    #[error("At most {MOST_HEADERS} headers; these are {}.", grouped(*.0 as u64))]
    TooManyHeaders(usize),
    #[error("The header {0} is given twice.")]
    HeaderTwice(String),
    #[error("The header {0} is longer than {LONGEST_HEADER} bytes.")]
    LongHeader(String),
    #[error("The header {0} holds a secret: add it as a credential. A benchmark is kept and shown.")]
    SecretHeader(String),
    #[error(transparent)]
    Header(#[from] HeaderError),
    #[error("Extra fields must be a JSON object, such as {{\"temperature\": 0}}.")]
    NotFields,
    #[error("Extra fields are at most 16 kB of JSON.")]
    LongFields,
    #[error("The field {0} is made by the load itself: it can't be added.")]
    OwnField(&'static str),
    #[error("A load point has either a concurrency or a rate.")]
    NotPoint,
    #[error("Percentile must be a number above 0 and below 100.")]
    NotPercentile,
    #[error("Give at least one limit: TTFT, TPOT or E2E (ttft_ms, tpot_ms, e2el_ms).")]
    NoLimit,
    #[error("A search needs min and max.")]
    NoBounds,
    #[error("A search's min must be below its max.")]
    BoundsReversed,
    #[error("A prefix needs its share of the input, 0 to 1.")]
    NotShare,
    #[error("{0} need a kind: fixed, uniform, normal or lognormal.")]
    NoLengthsKind(String),
    #[error("{0} of this kind need min, in tokens.")]
    NoLeastLength(String),
    #[error("{0} of this kind need mean and std, in tokens.")]
    NoMeanLength(String),
}

/// A whole number; `50.0` counts as one.
pub fn whole(value: &Value) -> Option<i128> {
    let Value::Number(number) = value else { return None };
    if let Some(number) = number.as_u64() {
        return Some(number.into());
    }
    if let Some(number) = number.as_i64() {
        return Some(number.into());
    }
    // beyond 2^53 a float does not represent every whole number
    number.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 9e15).map(|number| number as i128)
}

/// A whole number within bounds.
///
/// # Errors
/// When the value is not one.
pub fn whole_between(value: &Value, title: &str, least: u64, most: u64) -> Result<u64, ValueError> {
    let number = whole(value).and_then(|number| u64::try_from(number).ok()).filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| {
        let title = title.to_owned();
        if most == u64::MAX { ValueError::NotWhole { title, least } } else { ValueError::NotWholeBetween { title, least, most } }
    })
}

fn whole32(value: &Value, title: &str, least: u32, most: u32) -> Result<u32, ValueError> {
    whole_between(value, title, least.into(), most.into()).map(|number| u32::try_from(number).unwrap_or(most))
}

/// A number above zero and up to a limit.
pub(super) fn positive(value: &Value, title: &str, most: f64) -> Result<f64, ValueError> {
    let number = value.as_f64().filter(|number| *number > 0.0 && *number <= most);
    number.ok_or_else(|| ValueError::NotPositive { title: title.to_owned(), most })
}

/// A number from zero up to a limit.
pub(super) fn from_zero(value: &Value, title: &str, most: f64) -> Result<f64, ValueError> {
    let number = value.as_f64().filter(|number| (0.0..=most).contains(number));
    number.ok_or_else(|| ValueError::NotFromZero { title: title.to_owned(), most })
}

/// One of these names.
pub(super) fn name_of(value: &Value, title: &str, names: &[&'static str]) -> Result<&'static str, ValueError> {
    let found = value.as_str().and_then(|text| names.iter().find(|name| **name == text));
    found.copied().ok_or_else(|| ValueError::NotOneOf { title: title.to_owned(), names: names.to_vec() })
}

/// An object with known keys only.
fn object<'a>(value: &'a Value, title: &str, known: &[&'static str]) -> Result<&'a Map<String, Value>, ValueError> {
    let Value::Object(fields) = value else { return Err(ValueError::NotObject { title: title.to_owned() }) };
    match fields.keys().find(|key| !known.contains(&key.as_str())) {
        Some(unknown) => {
            let field = unknown.chars().take(LONGEST_NAME).collect();
            Err(ValueError::UnknownField { title: title.to_owned(), field, known: known.to_vec() })
        }
        None => Ok(fields),
    }
}

/// The value of a key, if it is not null.
fn present<'a>(fields: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    fields.get(key).filter(|value| !value.is_null())
}

/// A list of distinct ids.
///
/// # Errors
/// When the value is not a list of dataset ids.
pub fn dataset_ids(value: &Value) -> Result<Vec<Uuid>, ValueError> {
    let Value::Array(items) = value else { return Err(ValueError::NotIds) };
    if items.len() > MOST_DATASETS {
        return Err(ValueError::TooManyDatasets);
    }
    let mut ids: Vec<Uuid> = Vec::with_capacity(items.len());
    for item in items {
        let text = item.as_str().ok_or(ValueError::NotIds)?;
        let id = Uuid::try_parse(text.trim()).map_err(|_| ValueError::NoDataset(text.chars().take(50).collect()))?;
        if ids.contains(&id) {
            return Err(ValueError::DatasetTwice(id));
        }
        ids.push(id);
    }
    Ok(ids)
}

pub(super) fn arrival(value: &Value) -> Result<Arrival, ValueError> {
    match value.get("kind").and_then(Value::as_str) {
        Some("closed") => object(value, "A closed arrival", &["kind"]).map(|_| Arrival::Closed {}),
        Some("rate") => {
            let fields = object(value, "A rate", &["kind", "rate", "process", "burstiness"])?;
            let rate = positive(fields.get("rate").ok_or(ValueError::NoRate)?, "Rate", MOST_RATE)?;
            let process = present(fields, "process").map(process).transpose()?.unwrap_or_default();
            let burstiness =
                present(fields, "burstiness").map(|value| positive(value, "Burstiness", MOST_BURSTINESS)).transpose()?;
            // Gamma with shape 1 is the exponential distribution, so 1 is accepted for every process.
            let is_plain = burstiness.is_none_or(|burstiness| (burstiness - 1.0).abs() < f64::EPSILON);
            if !is_plain && process != ArrivalProcess::Gamma {
                return Err(ValueError::BurstinessAlone);
            }
            Ok(Arrival::Rate { rate, process, burstiness })
        }
        _ => Err(ValueError::NoArrivalKind),
    }
}

fn process(value: &Value) -> Result<ArrivalProcess, ValueError> {
    Ok(match name_of(value, "Process", &["constant", "poisson", "gamma"])? {
        "constant" => ArrivalProcess::Constant,
        "gamma" => ArrivalProcess::Gamma,
        _ => ArrivalProcess::Poisson,
    })
}

pub(super) fn load_points(value: &Value) -> Result<Vec<OfferedLoad>, ValueError> {
    let Value::Array(items) = value else { return Err(ValueError::NotPoints) };
    if items.len() > MOST_POINTS {
        return Err(ValueError::TooManyPoints(items.len()));
    }
    let points: Vec<OfferedLoad> = items.iter().map(load_point).collect::<Result<_, _>>()?;
    if points.windows(2).any(|pair| pair[0].variable() != pair[1].variable()) {
        return Err(ValueError::MixedPoints);
    }
    if points.iter().enumerate().any(|(index, point)| points[..index].contains(point)) {
        return Err(ValueError::PointTwice);
    }
    Ok(points)
}

fn load_point(value: &Value) -> Result<OfferedLoad, ValueError> {
    let fields = object(value, "A load point", &["concurrency", "rate"])?;
    match (fields.get("concurrency"), fields.get("rate")) {
        (Some(concurrency), None) => {
            let concurrency = whole32(concurrency, "A load point's concurrency", 1, MOST_CONCURRENT)?;
            Ok(OfferedLoad::Concurrency { concurrency })
        }
        (None, Some(rate)) => Ok(OfferedLoad::Rate { rate: positive(rate, "A load point's rate", MOST_RATE)? }),
        _ => Err(ValueError::NotPoint),
    }
}

pub(super) fn slo(value: &Value) -> Result<Slo, ValueError> {
    let fields = object(value, "A latency limit", &["percentile", "ttft_ms", "tpot_ms", "e2el_ms", "search"])?;
    let limit = |key: &str, title: &str| present(fields, key).map(|value| positive(value, title, MOST_MS)).transpose();
    let percentile = match present(fields, "percentile") {
        None => 99.0,
        Some(value) => {
            value.as_f64().filter(|percentile| *percentile > 0.0 && *percentile < 100.0).ok_or(ValueError::NotPercentile)?
        }
    };
    let slo = Slo {
        percentile,
        ttft_ms: limit("ttft_ms", "The TTFT limit")?,
        tpot_ms: limit("tpot_ms", "The TPOT limit")?,
        e2el_ms: limit("e2el_ms", "The E2E limit")?,
        search: present(fields, "search").map(search).transpose()?,
    };
    if slo.ttft_ms.is_none() && slo.tpot_ms.is_none() && slo.e2el_ms.is_none() {
        return Err(ValueError::NoLimit);
    }
    Ok(slo)
}

fn search(value: &Value) -> Result<SloSearch, ValueError> {
    let fields = object(value, "A search", &["min", "max"])?;
    let bound = |key: &str| positive(fields.get(key).ok_or(ValueError::NoBounds)?, key, MOST_RATE);
    let search = SloSearch { min: bound("min")?, max: bound("max")? };
    if search.min >= search.max { Err(ValueError::BoundsReversed) } else { Ok(search) }
}

pub(super) fn headers(value: &Value) -> Result<Vec<RequestHeader>, ValueError> {
    let Value::Array(items) = value else { return Err(ValueError::NotHeaders) };
    if items.len() > MOST_HEADERS {
        return Err(ValueError::TooManyHeaders(items.len()));
    }
    let mut headers: Vec<RequestHeader> = Vec::with_capacity(items.len());
    for item in items {
        let header = header(item)?;
        if headers.iter().any(|other| other.name.eq_ignore_ascii_case(&header.name)) {
            return Err(ValueError::HeaderTwice(header.name));
        }
        headers.push(header);
    }
    Ok(headers)
}

fn header(item: &Value) -> Result<RequestHeader, ValueError> {
    if item.is_string() {
        return Err(HeaderError::Form.into());
    }
    let fields = object(item, "A header", &["name", "value"])?;
    let text = |key: &str| fields.get(key).and_then(Value::as_str).unwrap_or_default().trim().to_owned();
    let header = RequestHeader { name: text("name"), value: text("value") };
    if header.name.len() + header.value.len() > LONGEST_HEADER {
        return Err(ValueError::LongHeader(header.name.chars().take(LONGEST_NAME).collect()));
    }
    PlanHeader::from(&header).check().map_err(|error| match error {
        HeaderError::Secret(name) => ValueError::SecretHeader(name),
        other => other.into(),
    })?;
    Ok(header)
}

pub(super) fn extra_body(value: &Value) -> Result<Map<String, Value>, ValueError> {
    let Value::Object(fields) = value else { return Err(ValueError::NotFields) };
    if serde_json::to_vec(fields).map_or(usize::MAX, |text| text.len()) > LONGEST_FIELDS {
        return Err(ValueError::LongFields);
    }
    match OWN_FIELDS.iter().find(|own| fields.contains_key(**own)) {
        Some(own) => Err(ValueError::OwnField(own)),
        None => Ok(fields.clone()),
    }
}

pub(super) fn prefix(value: &Value) -> Result<Prefix, ValueError> {
    let share = object(value, "A prefix", &["share"])?.get("share").and_then(Value::as_f64);
    let share = share.filter(|share| (0.0..=1.0).contains(share)).ok_or(ValueError::NotShare)?;
    Ok(Prefix { share })
}

pub(super) fn lengths(value: &Value, title: &str, most: u32) -> Result<LengthDistribution, ValueError> {
    let number = |fields: &Map<String, Value>, key: &str| {
        let value = fields.get(key).ok_or_else(|| ValueError::NoMeanLength(title.to_owned()))?;
        positive(value, &format!("{title}' {key}"), most.into())
    };
    let drawn = || {
        let fields = object(value, title, &["kind", "mean", "std"])?;
        Ok((number(fields, "mean")?, number(fields, "std")?))
    };
    match value.get("kind").and_then(Value::as_str) {
        Some("fixed") => object(value, title, &["kind"]).map(|_| LengthDistribution::Fixed {}),
        Some("uniform") => {
            let fields = object(value, title, &["kind", "min"])?;
            let min = fields.get("min").ok_or_else(|| ValueError::NoLeastLength(title.to_owned()))?;
            Ok(LengthDistribution::Uniform { min: whole32(min, &format!("{title}' min"), 1, most)? })
        }
        Some("normal") => drawn().map(|(mean, std)| LengthDistribution::Normal { mean, std }),
        Some("lognormal") => drawn().map(|(mean, std)| LengthDistribution::Lognormal { mean, std }),
        _ => Err(ValueError::NoLengthsKind(title.to_owned())),
    }
}
