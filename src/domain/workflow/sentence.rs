//! The load in plain words.

use super::fields::grouped;
use crate::domain::benchmark::{Arrival, EvalWith, LengthDistribution, LoadSpec, OfferedLoad, SloSearch};

/// The load in one sentence: "1,280 requests, 128 in flight, 512 tokens in and 128 out, about 4 minutes." `rows` is how
/// many rows the chosen datasets have together, `seconds` an estimate of the time that it takes; both where known.
pub fn load_sentence(load: &LoadSpec, rows: Option<u64>, seconds: Option<f64>) -> String {
    let mut parts = vec![amount(load)];
    parts.extend(pace(load));
    parts.push(lengths(load, rows));
    let known = match (load.duration_s, seconds) {
        // The first part says it already.
        (Some(_), _) => return format!("{}.", parts.join(", ")),
        (None, seconds) => seconds,
    };
    match known {
        Some(seconds) => {
            parts.push(format!("about {}", duration(seconds)));
            format!("{}.", parts.join(", "))
        }
        None => format!("{}. How long it takes depends on how fast the model answers.", parts.join(", ")),
    }
}

/// The bounds of a search, where one is asked for.
fn search(load: &LoadSpec) -> Option<&SloSearch> {
    load.slo.as_ref()?.search.as_ref()
}

fn amount(load: &LoadSpec) -> String {
    if search(load).is_some() {
        let each = match (load.duration_s, load.num_requests) {
            (Some(seconds), _) => duration(seconds),
            (None, Some(requests)) => count(requests.into(), "request"),
            (None, None) => "as many requests as the percentile needs".to_owned(),
        };
        return format!("A search for the largest load within the limits in at most 9 load points, {each} at each");
    }
    let each = if load.load_points.len() > 1 { " at each load" } else { "" };
    match (load.duration_s, load.num_requests) {
        (Some(seconds), _) => format!("{}{each}", capital(&duration(seconds))),
        (None, Some(requests)) => format!("{}{each}", count(requests.into(), "request")),
        // Each concurrency has its own default.
        (None, None) if load.load_points.len() > 1 => "10 requests per request in flight, at least 100, at each load".to_owned(),
        (None, None) => {
            let requests = count(LoadSpec::default_requests(load.concurrent_requests).into(), "request");
            // A percentile's limit may need more samples than that.
            if load.slo.is_some() { format!("At least {requests}") } else { requests }
        }
    }
}

/// The load in a few words, for lists: `128 in flight`.
pub fn load_words(load: &LoadSpec) -> String {
    pace(load).join(", ")
}

fn pace(load: &LoadSpec) -> Vec<String> {
    let cap = || format!("at most {} in flight", grouped(load.concurrent_requests.into()));
    if let Some(search) = search(load) {
        let bounds = format!("from {} to {}", plain(search.min), plain(search.max));
        return match &load.arrival {
            Some(Arrival::Rate { .. }) => vec![format!("{bounds} requests per second"), cap()],
            _ => vec![format!("{bounds} in flight")],
        };
    }
    match (load.load_points.as_slice(), &load.arrival) {
        ([], Some(Arrival::Rate { rate, .. })) => vec![format!("{} requests per second", plain(*rate)), cap()],
        ([], _) if load.is_multi_turn() => {
            vec![format!("{} at a time", count(load.concurrent_requests.into(), "conversation"))]
        }
        ([], _) => vec![format!("{} in flight", grouped(load.concurrent_requests.into()))],
        (points, _) => {
            let mut numbers: Vec<String> = Vec::with_capacity(points.len());
            let mut rates = false;
            for point in points {
                match point {
                    OfferedLoad::Concurrency { concurrency } => numbers.push(grouped((*concurrency).into())),
                    OfferedLoad::Rate { rate } => {
                        rates = true;
                        numbers.push(plain(*rate));
                    }
                }
            }
            let listed = super::fields::join_words(&numbers);
            if rates { vec![format!("{listed} requests per second"), cap()] } else { vec![format!("{listed} in flight")] }
        }
    }
}

fn lengths(load: &LoadSpec, rows: Option<u64>) -> String {
    match load.eval_with {
        EvalWith::Configuration => {
            let input = length(load.max_input_tokens.unwrap_or(0), load.input_lengths);
            match load.max_output_tokens {
                Some(output) => format!("{input} tokens in and {} out", length(output, load.output_lengths)),
                None => format!("{input} tokens in"),
            }
        }
        EvalWith::Dataset => {
            let datasets = count(load.dataset_ids.len() as u64, "dataset");
            let rows = rows.map(|rows| format!(" ({})", count(rows, "row"))).unwrap_or_default();
            let what = if load.is_multi_turn() { "turns of the conversations of" } else { "prompts of" };
            match load.max_output_tokens {
                Some(output) => format!("{what} {datasets}{rows} and at most {} tokens out", grouped(output.into())),
                None => format!("{what} {datasets}{rows}"),
            }
        }
    }
}

/// A length, or how lengths are spread: `64 to 512`.
fn length(most: u32, spread: Option<LengthDistribution>) -> String {
    let most = grouped(most.into());
    match spread {
        None | Some(LengthDistribution::Fixed {}) => most,
        Some(LengthDistribution::Uniform { min }) => format!("{} to {most}", grouped(min.into())),
        Some(LengthDistribution::Normal { mean, .. } | LengthDistribution::Lognormal { mean, .. }) => {
            format!("about {} (at most {most})", grouped(mean.round() as u64))
        }
    }
}

/// A time in words: `4 minutes`.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.max(1.0);
    if seconds < 90.0 {
        count(seconds.round() as u64, "second")
    } else if seconds < 5_400.0 {
        count((seconds / 60.0).round() as u64, "minute")
    } else {
        let hours = (seconds / 360.0).round() / 10.0;
        format!("{} hours", plain(hours))
    }
}

fn count(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", grouped(number), if number == 1 { "" } else { "s" })
}

fn plain(number: f64) -> String {
    if number.fract() == 0.0 { grouped(number as u64) } else { format!("{number}") }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
