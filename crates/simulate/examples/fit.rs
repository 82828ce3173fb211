//! Fits the profiles that the simulator comes with to a table of published measurements, and says how far off they are.
//!
//! `cargo run --release --features cli --example fit -- TABLE.csv evaluate|fit|cross-validate`

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;

use dyno_simulate::calibrate::{self, Multiplier, Observation};
use dyno_simulate::command::points::{Point, Prepared};
use dyno_simulate::engine::{Engine, EngineVersion};
use dyno_simulate::precision::{KvPrecision, Precision};
use dyno_simulate::profile::{Efficiency, Factor, Profile, Profiles, Standing};

const FARTHEST: f64 = 2.5;
const ITERATIONS: usize = 6;
/// Enough of a pool to tell what its groups have in common.
const POOL_ROWS: usize = 60;

struct Row {
    index: usize,
    point: Point,
    prepared: Prepared,
}

impl Row {
    /// What a profile is keyed by.
    fn key(&self) -> String {
        let version = self.prepared.version.map_or(String::new(), |version| format!("{}.{}", version.major, version.minor));
        let kind = if self.prepared.model.mixture.is_some() { "mixture" } else { "dense" };
        format!("{}|{}|{version}|{}|{kind}", self.prepared.device.name, self.prepared.engine, self.prepared.precision)
    }

    /// What a group of rows with one key starts from is fitted to.
    fn pool(&self) -> String {
        format!("{:?}|{}|{}", self.prepared.device.generation, self.prepared.engine, self.prepared.model.mixture.is_some())
    }

    /// Measurements of one set-up at several concurrencies: never split between fitting and testing.
    fn cell(&self) -> String {
        format!("{}|{}|{}|{}|{}", self.key(), self.point.model, self.point.isl, self.point.osl, self.prepared.tensor_parallel)
    }

    fn scored(&self) -> bool {
        let device = self.prepared.device.name.as_str();
        self.point.workload == "closed"
            && (device.starts_with("H100-SXM") || device.starts_with("H200") || device.starts_with("B200"))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [table, mode, rest @ ..] = arguments.as_slice() else { return Err("TABLE.csv evaluate|fit|cross-validate".into()) };
    let mut rows = Vec::new();
    for point in csv::Reader::from_path(table)?.into_deserialize::<Point>() {
        let point = point?;
        if point.consistent == 1
            && let Ok(mut prepared) = point.prepare()
        {
            if point.left_out_burst()
                && let Some(tpot) = point.tpot_ms
            {
                prepared.begin_over(tpot * f64::from(point.osl) / 1e3);
            }
            rows.push(Row { index: rows.len(), point, prepared });
        }
    }
    if let Some(only) = rest.first() {
        rows.retain(|row| row.key().contains(only.as_str()));
    }
    let rows: Vec<&Row> = rows.iter().collect();
    let mut out = std::io::stdout().lock();
    let mut fitted = Fitted::default();
    match mode.as_str() {
        "evaluate" => report(&mut out, &errors(&rows, &Profiles::published()))?,
        "fit" => {
            let mut profiles = fit_all(&rows, &mut fitted);
            let scored: Vec<&Row> = rows.iter().copied().filter(|row| row.scored()).collect();
            state_errors(&mut profiles, &cross_validate(&scored, Row::cell, &mut fitted));
            print_profiles(&mut out, &profiles)?;
        }
        "cross-validate" => {
            for (title, group) in [
                ("cells left out", Row::cell as fn(&Row) -> String),
                ("models left out", |row: &Row| row.point.model.rsplit('/').next().unwrap_or("").chars().take(8).collect()),
                ("devices left out", |row: &Row| row.prepared.device.name.clone()),
            ] {
                writeln!(out, "== {title}")?;
                report(&mut out, &cross_validate(&rows, group, &mut fitted))?;
            }
        }
        "cells" => {
            let scored: Vec<&Row> = rows.iter().copied().filter(|row| row.scored()).collect();
            report(&mut out, &cross_validate(&scored, Row::cell, &mut fitted))?;
        }
        // All of the above with the fitting done once.
        "all" => {
            let mut profiles = fit_all(&rows, &mut fitted);
            let scored: Vec<&Row> = rows.iter().copied().filter(|row| row.scored()).collect();
            let cells = cross_validate(&scored, Row::cell, &mut fitted);
            state_errors(&mut profiles, &cells);
            print_profiles(&mut out, &profiles)?;
            writeln!(out, "== as fitted")?;
            report(&mut out, &errors(&rows, &profiles))?;
            writeln!(out, "== cells left out")?;
            report(&mut out, &cells)?;
            list(&mut out, &cells)?;
        }
        "refit" => report(&mut out, &errors(&rows, &fit_all(&rows, &mut fitted)))?,
        "rows" => list(&mut out, &errors(&rows, &fit_all(&rows, &mut fitted)))?,
        other => return Err(format!("unknown mode {other}").into()),
    }
    Ok(())
}

/// Fits by the rows that they were made of: leaving something out changes few of them.
#[derive(Default)]
struct Fitted {
    pools: BTreeMap<Vec<usize>, Efficiency>,
    profiles: BTreeMap<Vec<usize>, Option<Profile>>,
}

fn fit_all(rows: &[&Row], fitted: &mut Fitted) -> Profiles {
    let mut groups: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        groups.entry(row.key()).or_default().push(row);
    }
    let mut pools: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        pools.entry(row.pool()).or_default().push(row);
    }
    let starts: BTreeMap<String, Efficiency> =
        pools.into_iter().filter_map(|(name, rows)| Some((name, fit_pool(&rows, fitted)?))).collect();
    let indices = |rows: &[&Row]| -> Vec<usize> { rows.iter().map(|row| row.index).collect() };
    Profiles(
        groups
            .values()
            .filter_map(|group| {
                let pool = group.first()?.pool();
                let start = starts.get(&pool)?;
                // What a group starts from depends on all of its pool.
                let mut key = indices(group);
                key.extend(rows.iter().filter(|row| row.pool() == pool).map(|row| row.index));
                fitted.profiles.entry(key).or_insert_with(|| fit_group(group, start)).clone()
            })
            .collect(),
    )
}

/// What groups of one generation, engine and kind of model have in common, and start from: a group of few rows stays near it.
fn fit_pool(rows: &[&Row], fitted: &mut Fitted) -> Option<Efficiency> {
    let first = &rows.first()?.prepared;
    let start = start(first.device.generation, first.engine, first.model.mixture.is_some());
    let key = rows.iter().map(|row| row.index).collect();
    Some(*fitted.pools.entry(key).or_insert_with(|| {
        let every = rows.len().div_ceil(POOL_ROWS);
        let some: Vec<&Row> = rows.iter().copied().step_by(every).collect();
        fit_rows(&some, &start).map_or(start, |(efficiency, _)| efficiency)
    }))
}

/// The format of the KV cache is not in the table; it is found by which one fits. Rows that are off by a factor of 2.5 from the
/// start were measured with something that the table does not say (a server that takes few sequences, say): they are not fitted.
fn fit_rows(rows: &[&Row], start: &Efficiency) -> Option<(Efficiency, KvPrecision)> {
    let first = &rows.first()?.prepared;
    let mixture = first.model.mixture.is_some();
    let several = rows.iter().any(|row| row.prepared.tensor_parallel > 1);
    let rows: Vec<&&Row> = rows
        .iter()
        .filter(|row| {
            let residuals = calibrate::residuals(&[observation(row, KvPrecision::Bits16)], start);
            residuals[1].abs() < FARTHEST.ln() && residuals[3].abs() < FARTHEST.ln()
        })
        .collect();
    if rows.is_empty() {
        return None;
    }
    let multipliers: Vec<Multiplier> = Factor::ALL
        .into_iter()
        .filter(|factor| (mixture || !factor.of_mixtures()) && (several || !factor.of_links()))
        .map(|factor| Multiplier { factors: vec![factor], ridge: 0.3 })
        .collect();
    let observed = |kv_precision| -> Vec<Observation<'_>> { rows.iter().map(|row| observation(row, kv_precision)).collect() };
    let spread = |kv_precision| -> f64 {
        let observations = observed(kv_precision);
        // Where the cache is full tells its format; the factors matter little for that.
        calibrate::residuals(&observations, start).iter().map(|residual| residual.abs().min(0.5)).sum()
    };
    let possible = first.precision != Precision::Bf16 && first.device.tflops_8.is_some();
    let narrow = possible && spread(KvPrecision::Bits8) < spread(KvPrecision::Bits16);
    let kv_precision = if narrow { KvPrecision::Bits8 } else { KvPrecision::Bits16 };
    Some((calibrate::fit(&observed(kv_precision), start, &multipliers, ITERATIONS), kv_precision))
}

fn fit_group(rows: &[&Row], start: &Efficiency) -> Option<Profile> {
    let first = &rows.first()?.prepared;
    let (efficiency, kv_precision) = fit_rows(rows, start)?;
    Some(Profile {
        device: first.device.name.clone(),
        generation: first.device.generation,
        engine: first.engine,
        version: first.version,
        precision: first.precision,
        mixture: first.model.mixture.is_some(),
        kv_precision,
        efficiency,
        standing: Standing::Prior,
        runs: rows.len() as u32,
        error_pct: (0.0, 0.0),
    })
}

/// What was left out of fitting says how far off a profile is; too little of it says nothing, and 30 % stand.
fn state_errors(profiles: &mut Profiles, failures: &[Failure<'_>]) {
    for profile in &mut profiles.0 {
        let mut errors: Vec<f64> = failures
            .iter()
            .filter(|failure| {
                let prepared = &failure.row.prepared;
                prepared.device.name == profile.device
                    && prepared.engine == profile.engine
                    && prepared.version == profile.version
                    && prepared.precision == profile.precision
                    && prepared.model.mixture.is_some() == profile.mixture
            })
            .filter_map(|failure| failure.errors.and_then(|errors| errors[2].or(errors[1])))
            .map(|error| 100.0 * error.abs())
            .collect();
        profile.error_pct =
            if errors.len() < 8 { (15.0, 30.0) } else { (percentile(&mut errors, 0.5), percentile(&mut errors, 0.9)) };
    }
}

fn start(generation: dyno_simulate::device::Generation, engine: Engine, mixture: bool) -> Efficiency {
    let mut start = Efficiency::generic(generation);
    if engine == Engine::TensorRtLlm {
        start.step_us = 2000.0;
        start.layer_us = 20.0;
    }
    if mixture {
        start.layer_us *= 1.2;
    }
    start
}

fn observation(row: &Row, kv_precision: KvPrecision) -> Observation<'_> {
    let timed = row.point.ttft_ok == 1;
    Observation {
        scenario: row.prepared.scenario(),
        kv_precision: row.prepared.kv_precision.unwrap_or(kv_precision),
        workload: &row.prepared.workload,
        ttft_ms: row.point.ttft_ms.filter(|_| timed),
        tpot_ms: row.point.tpot_ms,
        // Lengths differ from the nominal ones, so that TTFT and TPOT carry all there is.
        e2el_ms: None,
        output_throughput: row.point.out_tok_s.filter(|_| row.point.tpot_ms.is_none()),
    }
}

struct Failure<'a> {
    row: &'a Row,
    /// Signed shares: TTFT, TPOT, E2E.
    errors: Option<[Option<f64>; 3]>,
}

fn errors<'a>(rows: &[&'a Row], profiles: &Profiles) -> Vec<Failure<'a>> {
    rows.iter()
        .map(|&row| {
            let point = &row.point;
            let errors = point.predict(profiles).ok().map(|(predicted, _)| {
                let share = |predicted: f64, measured: Option<f64>| Some(predicted / measured? - 1.0);
                let timed = |error: Option<f64>| error.filter(|_| point.ttft_ok == 1);
                [
                    timed(share(predicted.ttft_ms, point.ttft_ms)),
                    share(predicted.tpot_ms, point.tpot_ms),
                    timed(share(predicted.e2el_ms(point.osl), point.e2el_ms())),
                ]
            });
            Failure { row, errors }
        })
        .collect()
}

fn list(out: &mut impl Write, failures: &[Failure<'_>]) -> std::io::Result<()> {
    for failure in failures {
        let point = &failure.row.point;
        let shown = |error: Option<f64>| error.map_or("-".to_owned(), |error| format!("{:+.1}", 100.0 * error));
        let [ttft, tpot, e2el] = failure.errors.unwrap_or_default().map(shown);
        writeln!(
            out,
            "{} {} tp{} {}/{} c{} ttft {:.0} {ttft} % tpot {:.2} {tpot} % e2el {e2el} %",
            failure.row.key(),
            point.model,
            failure.row.prepared.tensor_parallel,
            point.isl,
            point.osl,
            point.concurrency,
            point.ttft_ms.unwrap_or_default(),
            point.tpot_ms.unwrap_or_default(),
        )?;
    }
    Ok(())
}

fn cross_validate<'a>(rows: &[&'a Row], group: fn(&Row) -> String, fitted: &mut Fitted) -> Vec<Failure<'a>> {
    let mut names: Vec<String> = rows.iter().map(|row| group(row)).collect();
    names.sort();
    names.dedup();
    // Many small groups are left out a fifth at a time.
    let folds = names.len().min(if names.len() > 40 { 4 } else { usize::MAX });
    let fold_of = |row: &Row| names.binary_search(&group(row)).unwrap_or(0) % folds;
    let mut all = Vec::new();
    for fold in 0..folds {
        let (out, within): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| fold_of(row) == fold);
        all.extend(errors(&out, &fit_all(&within, fitted)));
    }
    all
}

fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    if values.is_empty() { f64::NAN } else { values[((values.len() - 1) as f64 * share).round() as usize] }
}

fn report(out: &mut impl Write, failures: &[Failure<'_>]) -> std::io::Result<()> {
    let mut groups: BTreeMap<String, Vec<&Failure<'_>>> = BTreeMap::new();
    for failure in failures {
        let row = failure.row;
        if row.scored() {
            groups.entry("0 all scored".to_owned()).or_default().push(failure);
            if row.point.source.contains("InferenceX")
                && row.prepared.engine == Engine::Vllm
                && row.point.model.contains("Llama-3.1-70B")
            {
                groups.entry("1 Llama-3.1-70B on vLLM".to_owned()).or_default().push(failure);
            }
        }
        let load = if row.point.workload == "closed" { "2 closed" } else { "3 other" };
        groups.entry(format!("{load} {} {}", row.key(), row.point.model)).or_default().push(failure);
    }
    writeln!(
        out,
        "{:<95} {:>4} {:>5}  {:>13} {:>20} {:>13}",
        "group", "n", "empty", "TTFT med p90", "TPOT med p90 bias", "E2E med p90"
    )?;
    for (name, group) in &groups {
        let empty = group.iter().filter(|failure| failure.errors.is_none()).count();
        let of = |which: usize| -> Vec<f64> { group.iter().filter_map(|failure| failure.errors?[which]).collect() };
        let absolute = |which: usize, share: f64| {
            let mut values: Vec<f64> = of(which).iter().map(|error| 100.0 * error.abs()).collect();
            percentile(&mut values, share)
        };
        writeln!(
            out,
            "{name:<95} {:>4} {empty:>5}  {:>6.1} {:>6.1} {:>6.1} {:>6.1} {:>6.1} {:>6.1} {:>6.1}",
            group.len(),
            absolute(0, 0.5),
            absolute(0, 0.9),
            absolute(1, 0.5),
            absolute(1, 0.9),
            100.0 * percentile(&mut of(1), 0.5),
            absolute(2, 0.5),
            absolute(2, 0.9),
        )?;
    }
    let (right, largest, cells) = degrees(failures);
    writeln!(out, "best degree right in {right} of {cells} cells; always the largest: {largest}")?;
    let (right, decisions) = limits(failures);
    writeln!(out, "cheapest degree within a limit right in {right} of {decisions}")
}

/// Rows that differ in their degree alone: degree, measured E2E, predicted E2E.
fn by_degree(failures: &[Failure<'_>]) -> Vec<Vec<(u32, f64, f64)>> {
    let mut cells: BTreeMap<String, BTreeMap<u32, (f64, f64)>> = BTreeMap::new();
    for failure in failures.iter().filter(|failure| failure.row.scored() && failure.row.point.ttft_ok == 1) {
        let point = &failure.row.point;
        if let (Some(errors), Some(measured)) = (failure.errors, point.e2el_ms())
            && let Some(error) = errors[2]
        {
            let cell = format!("{}|{}|{}|{}|{}", failure.row.key(), point.model, point.isl, point.osl, point.concurrency);
            cells.entry(cell).or_default().insert(failure.row.prepared.tensor_parallel, (measured, measured * (1.0 + error)));
        }
    }
    cells
        .into_values()
        .filter(|degrees| degrees.len() > 1)
        .map(|degrees| degrees.into_iter().map(|(degree, (measured, predicted))| (degree, measured, predicted)).collect())
        .collect()
}

fn degrees(failures: &[Failure<'_>]) -> (usize, usize, usize) {
    let cells = by_degree(failures);
    let best = |cell: &[(u32, f64, f64)], which: fn(&(u32, f64, f64)) -> f64| {
        cell.iter().min_by(|one, other| which(one).total_cmp(&which(other))).map(|row| row.0)
    };
    let right = cells.iter().filter(|cell| best(cell, |row| row.1) == best(cell, |row| row.2)).count();
    let largest = cells.iter().filter(|cell| best(cell, |row| row.1) == cell.last().map(|row| row.0)).count();
    (right, largest, cells.len())
}

/// Limits at the geometric mean of two neighbouring degrees' measured E2E: is the same degree the smallest within them?
fn limits(failures: &[Failure<'_>]) -> (usize, usize) {
    let (mut right, mut decisions) = (0, 0);
    for cell in by_degree(failures) {
        for pair in cell.windows(2) {
            let limit = (pair[0].1 * pair[1].1).sqrt();
            let cheapest = |which: fn(&(u32, f64, f64)) -> f64| cell.iter().find(|row| which(row) <= limit).map(|row| row.0);
            decisions += 1;
            right += usize::from(cheapest(|row| row.1) == cheapest(|row| row.2));
        }
    }
    (right, decisions)
}

fn version(version: Option<EngineVersion>) -> String {
    version.map_or("None".to_owned(), |version| format!("Some(({}, {}))", version.major, version.minor))
}

fn print_profiles(out: &mut impl Write, profiles: &Profiles) -> std::io::Result<()> {
    for profile in &profiles.0 {
        let values: Vec<String> = Factor::ALL.iter().map(|&factor| format!("{:.4}", profile.efficiency.get(factor))).collect();
        writeln!(
            out,
            "    row(\"{}\", {:?}, {}, Precision::{:?}, {}, KvPrecision::{:?}, {}, ({:.1}, {:.1}), [{}]),",
            profile.device,
            profile.engine,
            version(profile.version),
            profile.precision,
            profile.mixture,
            profile.kv_precision,
            profile.runs,
            profile.error_pct.0,
            profile.error_pct.1,
            values.join(", ")
        )?;
    }
    Ok(())
}
