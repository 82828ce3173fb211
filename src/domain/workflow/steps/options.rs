//! The optional fields of step 2: when requests are sent, sweeps, latency limits.

use serde_json::{Map, Value};

use super::details::MOST_CONCURRENT;
use super::values;
use crate::domain::benchmark::{Arrival, ArrivalProcess, Endpoint, LengthDistribution, OfferedLoad, Prefix, Slo, SloSearch};
use crate::domain::workflow::fields::grouped;

/// Most requests per second.
const MOST_RATE: f64 = 100_000.0;
/// Longest latency limit, ms: a day.
const MOST_MS: f64 = 86_400_000.0;
/// Most load points of a sweep.
const MOST_POINTS: usize = 50;

/// An object with known keys only, or a sentence.
fn object<'a>(value: &'a Value, title: &str, known: &[&str]) -> Result<&'a Map<String, Value>, String> {
    let Value::Object(fields) = value else { return Err(format!("{title} must be an object.")) };
    match fields.keys().find(|key| !known.contains(&key.as_str())) {
        Some(unknown) => Err(format!("{title}: there is no field {unknown}, only {}.", known.join(", "))),
        None => Ok(fields),
    }
}

/// A key that is there and not null.
fn present<'a>(fields: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    fields.get(key).filter(|value| !value.is_null())
}

pub fn endpoint(value: &Value) -> Result<Endpoint, String> {
    match value.as_str() {
        Some("chat") => Ok(Endpoint::Chat),
        Some("completions") => Ok(Endpoint::Completions),
        Some("embeddings") => Ok(Endpoint::Embeddings),
        _ => Err("Endpoint must be chat, completions or embeddings.".to_owned()),
    }
}

pub fn arrival(value: &Value) -> Result<Arrival, String> {
    let kind = value.get("kind").and_then(Value::as_str);
    match kind {
        Some("closed") => {
            object(value, "A closed arrival", &["kind"])?;
            Ok(Arrival::Closed {})
        }
        Some("rate") => {
            let fields = object(value, "A rate", &["kind", "rate", "process", "burstiness"])?;
            let rate = fields.get("rate").ok_or("Enter a rate, in requests per second.")?;
            let rate = values::positive(rate, "Rate", MOST_RATE)?;
            let process = present(fields, "process").map(process).transpose()?.unwrap_or_default();
            let burstiness =
                present(fields, "burstiness").map(|value| values::positive(value, "Burstiness", 1_000.0)).transpose()?;
            // At 1 the gamma distribution is the exponential one, so that it says nothing there.
            let is_plain = burstiness.is_none_or(|burstiness| (burstiness - 1.0).abs() < f64::EPSILON);
            if !is_plain && process != ArrivalProcess::Gamma {
                return Err("Burstiness goes with the process gamma only.".to_owned());
            }
            Ok(Arrival::Rate { rate, process, burstiness })
        }
        _ => Err("Arrival needs a kind: closed or rate.".to_owned()),
    }
}

fn process(value: &Value) -> Result<ArrivalProcess, String> {
    match value.as_str() {
        Some("constant") => Ok(ArrivalProcess::Constant),
        Some("poisson") => Ok(ArrivalProcess::Poisson),
        Some("gamma") => Ok(ArrivalProcess::Gamma),
        _ => Err("Process must be constant, poisson or gamma.".to_owned()),
    }
}

pub fn load_points(value: &Value) -> Result<Vec<OfferedLoad>, String> {
    let Value::Array(items) = value else { return Err("Load points must be a list.".to_owned()) };
    if items.len() > MOST_POINTS {
        return Err(format!("At most {MOST_POINTS} load points; these are {}.", grouped(items.len() as u64)));
    }
    let points: Vec<OfferedLoad> = items.iter().map(load_point).collect::<Result<_, _>>()?;
    let rates = points.iter().filter(|point| matches!(point, OfferedLoad::Rate { .. })).count();
    if rates > 0 && rates < points.len() {
        return Err("Load points must be all concurrencies or all rates.".to_owned());
    }
    for (index, point) in points.iter().enumerate() {
        if points[..index].contains(point) {
            return Err("A load point is given twice.".to_owned());
        }
    }
    Ok(points)
}

fn load_point(value: &Value) -> Result<OfferedLoad, String> {
    let fields = object(value, "A load point", &["concurrency", "rate"])?;
    match (fields.get("concurrency"), fields.get("rate")) {
        (Some(concurrency), None) => {
            let most = u64::from(MOST_CONCURRENT);
            let concurrency = values::whole_between(concurrency, "A load point's concurrency", 1, most)? as u32;
            Ok(OfferedLoad::Concurrency { concurrency })
        }
        (None, Some(rate)) => Ok(OfferedLoad::Rate { rate: values::positive(rate, "A load point's rate", MOST_RATE)? }),
        _ => Err("A load point has either a concurrency or a rate.".to_owned()),
    }
}

pub fn slo(value: &Value) -> Result<Slo, String> {
    let fields = object(value, "A latency limit", &["percentile", "ttft_ms", "tpot_ms", "e2el_ms", "search"])?;
    let limit = |key: &str| {
        let title = match key {
            "ttft_ms" => "The TTFT limit",
            "tpot_ms" => "The TPOT limit",
            _ => "The E2E limit",
        };
        present(fields, key).map(|value| values::positive(value, title, MOST_MS)).transpose()
    };
    let percentile = match present(fields, "percentile") {
        None => 99.0,
        Some(value) => value
            .as_f64()
            .filter(|percentile| *percentile > 0.0 && *percentile < 100.0)
            .ok_or("Percentile must be a number above 0 and below 100.")?,
    };
    let slo = Slo {
        percentile,
        ttft_ms: limit("ttft_ms")?,
        tpot_ms: limit("tpot_ms")?,
        e2el_ms: limit("e2el_ms")?,
        search: present(fields, "search").map(search).transpose()?,
    };
    if slo.ttft_ms.is_none() && slo.tpot_ms.is_none() && slo.e2el_ms.is_none() {
        return Err("Give at least one limit: TTFT, TPOT or E2E (ttft_ms, tpot_ms, e2el_ms).".to_owned());
    }
    Ok(slo)
}

fn search(value: &Value) -> Result<SloSearch, String> {
    let fields = object(value, "A search", &["min", "max"])?;
    let bound = |key: &str| {
        let value = fields.get(key).ok_or("A search needs min and max.")?;
        values::positive(value, key, MOST_RATE)
    };
    let search = SloSearch { min: bound("min")?, max: bound("max")? };
    if search.min >= search.max {
        return Err("A search's min must be below its max.".to_owned());
    }
    Ok(search)
}

pub fn prefix(value: &Value) -> Result<Prefix, String> {
    let fields = object(value, "A prefix", &["share"])?;
    fields
        .get("share")
        .and_then(Value::as_f64)
        .filter(|share| (0.0..=1.0).contains(share))
        .map(|share| Prefix { share })
        .ok_or_else(|| "A prefix needs its share of the input, 0 to 1.".to_owned())
}

pub fn lengths(value: &Value, title: &str, most: u32) -> Result<LengthDistribution, String> {
    let number = |fields: &Map<String, Value>, key: &str| {
        let value = fields.get(key).ok_or_else(|| format!("{title} of this kind need mean and std, in tokens."))?;
        values::positive(value, &format!("{title}' {key}"), most.into())
    };
    match value.get("kind").and_then(Value::as_str) {
        Some("fixed") => object(value, title, &["kind"]).map(|_| LengthDistribution::Fixed {}),
        Some("uniform") => {
            let fields = object(value, title, &["kind", "min"])?;
            let min = fields.get("min").ok_or_else(|| format!("{title} of this kind need min, in tokens."))?;
            let min = values::whole_between(min, &format!("{title}' min"), 1, most.into())? as u32;
            Ok(LengthDistribution::Uniform { min })
        }
        Some("normal") => {
            let fields = object(value, title, &["kind", "mean", "std"])?;
            Ok(LengthDistribution::Normal { mean: number(fields, "mean")?, std: number(fields, "std")? })
        }
        Some("lognormal") => {
            let fields = object(value, title, &["kind", "mean", "std"])?;
            Ok(LengthDistribution::Lognormal { mean: number(fields, "mean")?, std: number(fields, "std")? })
        }
        _ => Err(format!("{title} need a kind: fixed, uniform, normal or lognormal.")),
    }
}
