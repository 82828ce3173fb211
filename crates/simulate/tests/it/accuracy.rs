//! What the simulator must reach on a table of published measurements, which the repository does not carry: its path is given by
//! DYNO_SIMULATE_POINTS.

use std::collections::BTreeMap;

use dyno_simulate::Profiles;
use dyno_simulate::command::point::Point;

struct Scored {
    point: Point,
    /// TTFT, TPOT, E2E in ms; absent: left empty.
    predicted: Option<[f64; 3]>,
}

impl Scored {
    /// Absolute errors in per cent, of what the source measured rightly.
    fn errors(&self) -> [Option<f64>; 3] {
        let Some(predicted) = self.predicted else { return [None; 3] };
        let timed = self.point.ttft_ok == 1;
        let measured = [self.point.ttft_ms.filter(|_| timed), self.point.tpot_ms, self.point.e2el_ms().filter(|_| timed)];
        let mut errors = [None; 3];
        for ((error, measured), predicted) in errors.iter_mut().zip(measured).zip(predicted) {
            *error = measured.map(|measured| 100.0 * (predicted / measured - 1.0).abs());
        }
        errors
    }
}

fn scored() -> Option<Vec<Scored>> {
    let Some(path) = std::env::var_os("DYNO_SIMULATE_POINTS") else {
        println!("skipped: DYNO_SIMULATE_POINTS names no table of measurements");
        return None;
    };
    let profiles = Profiles::published();
    let mut all = Vec::new();
    for point in csv::Reader::from_path(path).unwrap().into_deserialize::<Point>() {
        let point = point.unwrap();
        let device = ["H100-SXM", "H200", "B200"].iter().any(|name| point.hardware.starts_with(name));
        if point.consistent == 1 && point.workload == "closed" && device {
            let predicted = point.predict(&profiles).ok();
            let predicted = predicted.map(|(figures, _)| [figures.ttft_ms, figures.tpot_ms, figures.e2el_ms(point.osl)]);
            all.push(Scored { point, predicted });
        }
    }
    Some(all)
}

fn medians<'a>(points: impl Iterator<Item = &'a Scored> + Clone) -> [f64; 3] {
    [0, 1, 2].map(|figure| {
        let mut errors: Vec<f64> = points.clone().filter_map(|point| point.errors()[figure]).collect();
        errors.sort_by(f64::total_cmp);
        errors[errors.len() / 2]
    })
}

#[test]
fn errors_are_within_their_limits() {
    let Some(all) = scored() else { return };
    let [ttft, tpot, e2el] = medians(all.iter());
    println!("{} points: TTFT {ttft:.1} %, TPOT {tpot:.1} %, E2E {e2el:.1} %", all.len());
    assert!(ttft <= 15.0 && tpot <= 8.0 && e2el <= 8.0);
    let dense = all.iter().filter(|scored| {
        let point = &scored.point;
        point.model.contains("Llama-3.1-70B") && point.engine.starts_with("vllm") && point.source.contains("InferenceX")
    });
    let [ttft, tpot, e2el] = medians(dense);
    println!("Llama-3.1-70B on vLLM: TTFT {ttft:.1} %, TPOT {tpot:.1} %, E2E {e2el:.1} %");
    assert!(ttft <= 7.0 && tpot <= 5.0 && e2el <= 5.0);
    let empty = all.iter().filter(|scored| scored.predicted.is_none()).count();
    assert!(20 * empty <= all.len(), "{empty} of {} are empty", all.len());
}

/// Limits at the geometric mean of two neighbouring degrees' measured latency: the cheapest degree within is the measured one.
#[test]
fn the_cheapest_degree_within_a_limit_is_found() {
    let Some(all) = scored() else { return };
    let mut cells: BTreeMap<String, BTreeMap<u32, (f64, f64)>> = BTreeMap::new();
    for Scored { point, predicted } in &all {
        if let (1, Some(predicted), Some(measured), Some(degree)) = (point.ttft_ok, predicted, point.e2el_ms(), point.tp) {
            let Point { hardware, model, precision, engine, isl, osl, concurrency, .. } = point;
            let cell = format!("{hardware} {model} {precision} {engine} {isl} {osl} {concurrency}");
            cells.entry(cell).or_default().insert(degree as u32, (measured, predicted[2]));
        }
    }
    let (mut right, mut decisions) = (0, 0);
    for cell in cells.values() {
        let measured: Vec<f64> = cell.values().map(|row| row.0).collect();
        for pair in measured.windows(2) {
            let limit = (pair[0] * pair[1]).sqrt();
            let cheapest =
                |which: fn(&(f64, f64)) -> f64| cell.iter().find(|(_, row)| which(row) <= limit).map(|(degree, _)| degree);
            decisions += 1;
            right += usize::from(cheapest(|row| row.0) == cheapest(|row| row.1));
        }
    }
    println!("{right} of {decisions} decisions are right");
    assert!(decisions > 0 && 10 * right >= 9 * decisions);
}
