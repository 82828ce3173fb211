//! Wording of a load.

use crate::domain::dataset::Dataset;
use dyno_measure::limits::floor;
use dyno_measure::load::{
    Arrival, ArrivalProcess, EvalWith, LengthDistribution, LoadOption, LoadSpec, LoadVariable, OPTIONS, OfferedLoad,
};
use dyno_measure::search::Search;
use dyno_measure::words::{about, capital, count, grouped, join, plain};

/// The load in one sentence: "1,280 requests, 128 in flight, 512 tokens in and 128 out, about 4 minutes by simulation." `rows` is
/// the number of rows of the chosen datasets, `simulated_s` the duration that a simulation found; both if known.
pub fn load_sentence(load: &LoadSpec, rows: Option<u64>, simulated_s: Option<f64>) -> String {
    plan_sentence(load, rows, simulated_s) + &too_few(load)
}

/// A warning where the chosen number of requests is too small for the limits' percentile.
fn too_few(load: &LoadSpec) -> String {
    let Some(slo) = &load.slo else { return String::new() };
    match load.num_requests.map(u64::from) {
        Some(chosen) if chosen < u64::from(floor(slo.percentile)) => format!(
            " A p{} needs {} at each load: with {} the limit is not judged.",
            slo.percentile,
            count(floor(slo.percentile).into(), "request"),
            grouped(chosen)
        ),
        _ => String::new(),
    }
}

/// The load in one sentence, for any source of prompts; `datasets` includes those chosen, `simulated_s` is the duration that a
/// simulation found.
pub fn whole_sentence(load: &LoadSpec, datasets: &[Dataset], simulated_s: Option<f64>) -> String {
    match trace_of(load, datasets) {
        Some(trace) => trace_sentence(load, trace),
        None => load_sentence(load, rows_of(load, datasets), simulated_s),
    }
}

/// The load in one sentence that says nothing of how long a measurement takes.
pub fn untimed_sentence(load: &LoadSpec, datasets: &[Dataset]) -> String {
    match trace_of(load, datasets) {
        Some(trace) => trace_sentence(load, trace),
        None => format!("{}.", plan_parts(load, rows_of(load, datasets)).join(", ")) + &too_few(load),
    }
}

/// The number of rows of the chosen datasets, where prompts come from them.
fn rows_of(load: &LoadSpec, datasets: &[Dataset]) -> Option<u64> {
    let chosen = datasets.iter().filter(|dataset| load.dataset_ids.contains(&dataset.id));
    (load.eval_with == EvalWith::Dataset).then(|| chosen.map(|dataset| dataset.samples).sum())
}

/// The trace that a load replays, if any.
fn trace_of<'a>(load: &LoadSpec, datasets: &'a [Dataset]) -> Option<&'a Dataset> {
    datasets.iter().find(|dataset| dataset.format.is_trace() && load.dataset_ids.contains(&dataset.id))
}

/// Number of measured requests, and the duration where it does not depend on the model: "100 requests at each load, about 2
/// minutes". `datasets` are those chosen, or more.
pub fn amount_words(load: &LoadSpec, datasets: &[Dataset]) -> String {
    if let Some(trace) = trace_of(load, datasets) {
        let arrivals = load.num_requests.map_or(trace.samples, |most| trace.samples.min(most.into()));
        return count(arrivals, "arrival");
    }
    let mut words = amount(load);
    if let Some(seconds) = least_seconds(load) {
        words.push_str(&format!(", about {}", about(seconds)));
    }
    capital(&words)
}

fn plan_parts(load: &LoadSpec, rows: Option<u64>) -> Vec<String> {
    let mut parts = match search(load) {
        // the number applies to each load that the search tries
        Some(search) => vec![search, amount(load)],
        None => vec![amount(load)],
    };
    if parts.len() == 1 {
        parts.extend(pace(load));
    }
    parts.push(lengths(load, rows));
    if load.slo.as_ref().is_some_and(|slo| slo.search.is_none()) {
        parts.extend(limits(load));
    }
    parts
}

fn plan_sentence(load: &LoadSpec, rows: Option<u64>, simulated_s: Option<f64>) -> String {
    let mut parts = plan_parts(load, rows);
    let alone = loads(load).is_some_and(|loads| loads == 1);
    // the first part has the duration already
    if load.duration_s.is_some() && alone {
        return format!("{}.", parts.join(", "));
    }
    let simulated = simulated_s.map(|seconds| format!("about {} by simulation", about(seconds)));
    match simulated.or_else(|| Some(format!("about {}", about(least_seconds(load)?)))) {
        Some(time) => {
            parts.push(time);
            format!("{}.", parts.join(", "))
        }
        None if load.slo.as_ref().is_some_and(|slo| slo.search.is_some()) => {
            format!(
                "{}. How long it takes depends on how many loads have to be tried, and how fast the model answers.",
                parts.join(", ")
            )
        }
        None => format!("{}. How long it takes depends on how fast the model answers.", parts.join(", ")),
    }
}

/// "A search between 1 and 256 in flight, in at most 11 load points, for the largest load with p99 TTFT up to 450 ms"
fn search(load: &LoadSpec) -> Option<String> {
    let search = load.slo.as_ref()?.search.as_ref()?;
    let unit = variable(load).long_unit();
    let limits = limits(load).map(|limits| format!(" with {limits}")).unwrap_or_default();
    let points = Search::new(variable(load), search.min, search.max).most_left();
    Some(format!(
        "A search between {} and {} {unit}, in at most {}, for the largest load{limits}",
        plain(search.min),
        plain(search.max),
        count(points.into(), "load point")
    ))
}

/// "p99 TTFT up to 450 ms and TPOT up to 40 ms"; nothing where there are no limits.
pub fn limits(load: &LoadSpec) -> Option<String> {
    let slo = load.slo.as_ref()?;
    let named = [("TTFT", slo.ttft_ms), ("TPOT", slo.tpot_ms), ("E2E latency", slo.e2el_ms)];
    let limits: Vec<String> =
        named.into_iter().filter_map(|(name, limit)| Some(format!("{name} up to {} ms", plain(limit?)))).collect();
    (!limits.is_empty()).then(|| format!("p{} {}", slo.percentile, join(&limits)))
}

/// Number of loads; `None` for a search, which chooses them itself.
fn loads(load: &LoadSpec) -> Option<usize> {
    let searches = load.slo.as_ref().is_some_and(|slo| slo.search.is_some());
    (!searches).then_some(load.load_points.len().max(1))
}

/// Measured requests of each load; `None` where loads end by time, and for a search.
pub fn requests_of_each(load: &LoadSpec) -> Option<Vec<u64>> {
    loads(load)?;
    if load.duration_s.is_some() && load.num_requests.is_none() {
        return None;
    }
    // with limits, each load has at least the samples that the percentile needs
    let least = load.slo.as_ref().map_or(0, |slo| floor(slo.percentile));
    let of =
        |concurrency: u32| u64::from(load.num_requests.unwrap_or_else(|| LoadSpec::default_requests(concurrency).max(least)));
    Some(offered(load).into_iter().map(|offered| of(offered.scale())).collect())
}

/// The offered loads in order; for a search, that of its arrival.
fn offered(load: &LoadSpec) -> Vec<OfferedLoad> {
    match (load.load_points.as_slice(), &load.arrival) {
        ([], Some(Arrival::Rate { rate, .. })) => vec![OfferedLoad::Rate { rate: *rate }],
        ([], _) => vec![OfferedLoad::Concurrency { concurrency: load.concurrent_requests }],
        (points, _) => points.to_vec(),
    }
}

/// The variable of a sweep or search.
fn variable(load: &LoadSpec) -> LoadVariable {
    if load.is_open() { LoadVariable::Rate } else { LoadVariable::Concurrency }
}

/// Number of requests in all, warm-up included; `None` where it is not known in advance.
pub fn all_requests(load: &LoadSpec) -> Option<u64> {
    let measured: u64 = requests_of_each(load)?.iter().sum();
    let warmup = |offered: OfferedLoad| {
        let default = match offered {
            OfferedLoad::Concurrency { concurrency } => concurrency,
            OfferedLoad::Rate { .. } => offered.scale().clamp(1, load.concurrent_requests.max(1)),
        };
        u64::from(load.warmup_requests.unwrap_or(default))
    };
    let warmups: u64 = offered(load).into_iter().map(warmup).sum();
    Some(measured + warmups)
}

/// Least duration, where it does not depend on the model: by time, or at a rate.
fn least_seconds(load: &LoadSpec) -> Option<f64> {
    if let Some(seconds) = load.duration_s {
        return Some(seconds * loads(load)? as f64);
    }
    let rates: Vec<f64> = offered(load).into_iter().filter_map(OfferedLoad::rate).collect();
    let requests = requests_of_each(load)?;
    (requests.len() == rates.len()).then(|| requests.iter().zip(rates).map(|(requests, rate)| *requests as f64 / rate).sum())
}

fn amount(load: &LoadSpec) -> String {
    let each = if loads(load) == Some(1) { "" } else { " at each load" };
    if let (Some(seconds), None) = (load.duration_s, load.num_requests) {
        let seconds = about(seconds);
        return if each.is_empty() || loads(load).is_some() {
            format!("{}{each}", capital(&seconds))
        } else {
            format!("{seconds}{each}")
        };
    }
    let Some(requests) = requests_of_each(load) else {
        return match load.num_requests {
            Some(requests) => format!("{}{each}", count(requests.into(), "request")),
            None => format!("as many requests{each} as the percentile needs"),
        };
    };
    match (requests.iter().min(), requests.iter().max()) {
        (Some(least), Some(most)) if least != most => format!("{} to {}{each}", grouped(*least), count(*most, "request")),
        (Some(all), _) => format!("{}{each}", count(*all, "request")),
        (None, _) => String::new(),
    }
}

/// A trace's load in one sentence: "8,819 arrivals over 59 minutes, as the trace day says, at most 64 in flight."
pub fn trace_sentence(load: &LoadSpec, trace: &Dataset) -> String {
    let scale = load.time_scale.unwrap_or(1.0);
    let arrivals = load.num_requests.map_or(trace.samples, |most| trace.samples.min(most.into()));
    let mut parts = vec![match load.duration_s {
        Some(seconds) => format!("Arrivals of {}", about(seconds)),
        None => count(arrivals, "arrival"),
    }];
    if let (None, None, Some(facts)) = (load.duration_s, load.num_requests, &trace.trace) {
        parts[0].push_str(&format!(" over {}", about(facts.span_s / scale)));
    }
    parts.push(format!("as the trace {} says", trace.name));
    if (scale - 1.0).abs() > f64::EPSILON {
        parts.push(format!("{} times as fast", plain(scale)));
    }
    parts.push(format!("at most {} in flight", grouped(load.concurrent_requests.into())));
    parts.extend(load.max_output_tokens.map(|most| format!("at most {} tokens out", grouped(most.into()))));
    format!("{}.", parts.join(", "))
}

/// The options of a load that are neither in its sentence nor at their default, each with its label.
pub fn option_rows(load: &LoadSpec) -> Vec<(&'static LoadOption, &'static str, String)> {
    let values = load.values();
    let row = |option: &'static LoadOption| Some((option, option.term?, option.say(values.get(option.name)?)?));
    OPTIONS.iter().filter_map(row).collect()
}

/// The load in a few words, for lists: `128 in flight`.
pub fn load_words(load: &LoadSpec, datasets: &[Dataset]) -> String {
    if datasets.iter().any(|dataset| dataset.format.is_trace()) {
        return format!("trace, at most {} in flight", grouped(load.concurrent_requests.into()));
    }
    match load.slo.as_ref().and_then(|slo| slo.search.as_ref()) {
        Some(search) => {
            let unit = variable(load).long_unit();
            format!("search, {} to {} {unit}", plain(search.min), plain(search.max))
        }
        None if load.load_points.len() > 2 => {
            let values = || load.load_points.iter().map(|point| point.value());
            let least = values().fold(f64::INFINITY, f64::min);
            let most = values().fold(0.0, f64::max);
            let unit = variable(load).long_unit();
            format!("{}, {} to {} {unit}", count(load.load_points.len() as u64, "load"), plain(least), plain(most))
        }
        None => pace(load).join(", "),
    }
}

fn pace(load: &LoadSpec) -> Vec<String> {
    let cap = || format!("at most {} in flight", grouped(load.concurrent_requests.into()));
    match (load.load_points.as_slice(), &load.arrival) {
        ([], Some(Arrival::Rate { rate, .. })) => vec![format!("{} requests per second{}", plain(*rate), process(load)), cap()],
        ([], _) if load.is_multi_turn() => {
            vec![format!("{} at a time", count(load.concurrent_requests.into(), "conversation"))]
        }
        ([], _) => vec![format!("{} in flight", grouped(load.concurrent_requests.into()))],
        (points, _) => {
            let listed = join(&points.iter().map(|point| plain(point.value())).collect::<Vec<_>>());
            if load.is_open() {
                vec![format!("{listed} requests per second{}", process(load)), cap()]
            } else {
                vec![format!("{listed} in flight")]
            }
        }
    }
}

/// The arrival process, unless it is the default.
fn process(load: &LoadSpec) -> String {
    match &load.arrival {
        Some(Arrival::Rate { process: ArrivalProcess::Constant, .. }) => " in even steps".to_owned(),
        Some(Arrival::Rate { process: ArrivalProcess::Gamma, burstiness, .. }) => {
            format!(" in bursts (burstiness {})", burstiness.unwrap_or(1.0))
        }
        _ => String::new(),
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

/// A length, or the range of a distribution: `64 to 512`.
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
