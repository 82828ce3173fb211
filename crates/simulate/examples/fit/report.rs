//! How far off predictions are: by profile and model, and whether degrees of tensor parallelism are chosen rightly.

use std::collections::BTreeMap;
use std::io::Write;

use dyno_simulate::Profiles;
use dyno_simulate::engine::Engine;

use crate::Row;

pub(crate) struct Failure<'a> {
    pub(crate) row: &'a Row,
    /// Signed shares: TTFT, TPOT, E2E.
    pub(crate) errors: Option<[Option<f64>; 3]>,
}

pub(crate) fn errors<'a>(rows: &[&'a Row], profiles: &Profiles) -> Vec<Failure<'a>> {
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

pub(crate) fn list(out: &mut impl Write, failures: &[Failure<'_>]) -> std::io::Result<()> {
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

pub(crate) fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    if values.is_empty() { f64::NAN } else { values[((values.len() - 1) as f64 * share).round() as usize] }
}

pub(crate) fn report(out: &mut impl Write, failures: &[Failure<'_>]) -> std::io::Result<()> {
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
