//! Fits the profiles that the simulator comes with to a table of published measurements, and says how far off they are.
//!
//! `cargo run --release --features cli --example fit -- TABLE.csv evaluate|fit|rows|cells|models|devices|all|refit|list [KEY [SEED]]`
//!
//! Only rows whose key contains `KEY` count; the seed draws the quarters of `rows`.

mod fitting;
mod report;

use std::error::Error;
use std::io::Write;

use strum::VariantArray as _;

use dyno_simulate::command::{point::Point, points::Prepared};
use dyno_simulate::engine::EngineVersion;
use dyno_simulate::profile::{ErrorBar, Factor, Profiles};

use crate::fitting::{Fitted, cross_validate, cross_validate_rows, fit_all, state_errors};
use crate::report::{errors, list, report};

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

    /// Models of one family are left out together: one tells too much of the other.
    fn family(&self) -> String {
        self.point.model.rsplit('/').next().unwrap_or("").chars().take(8).collect()
    }

    fn scored(&self) -> bool {
        let device = self.prepared.device.name.as_str();
        self.point.workload == "closed"
            && (device.starts_with("H100-SXM") || device.starts_with("H200") || device.starts_with("B200"))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [table, mode, rest @ ..] = arguments.as_slice() else {
        return Err("TABLE.csv evaluate|fit|rows|cells|models|devices|all|refit|list [KEY [SEED]]".into());
    };
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
        // What load points get whose set-up was measured at other concurrencies.
        "rows" => {
            let seed = rest.get(1).map_or(Ok(1), |seed| seed.parse())?;
            let scored: Vec<&Row> = rows.iter().copied().filter(|row| row.scored()).collect();
            report(&mut out, &cross_validate_rows(&scored, seed, &mut fitted))?;
        }
        "models" => report(&mut out, &cross_validate(&rows, Row::family, &mut fitted))?,
        "devices" => report(&mut out, &cross_validate(&rows, |row| row.prepared.device.name.clone(), &mut fitted))?,
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
        "list" => list(&mut out, &errors(&rows, &fit_all(&rows, &mut fitted)))?,
        other => return Err(format!("unknown mode {other}").into()),
    }
    Ok(())
}

fn version(version: Option<EngineVersion>) -> String {
    version.map_or("None".to_owned(), |version| format!("Some(({}, {}))", version.major, version.minor))
}

fn bar(ErrorBar { ttft, tpot, e2el }: ErrorBar) -> String {
    let shown = |error: Option<f64>| error.map_or("None".to_owned(), |error| format!("Some({error:.1})"));
    match (ttft, tpot, e2el) {
        (None, None, None) => "[None; 3]".to_owned(),
        _ => format!("[{}, {}, {}]", shown(ttft), shown(tpot), shown(e2el)),
    }
}

fn print_profiles(out: &mut impl Write, profiles: &Profiles) -> std::io::Result<()> {
    for profile in &profiles.0 {
        let values: Vec<String> =
            Factor::VARIANTS.iter().map(|&factor| format!("{:.4}", profile.efficiency.get(factor))).collect();
        writeln!(
            out,
            "    Row(\"{}\", {:?}, {}, Precision::{:?}, {}, KvPrecision::{:?}, {}, {}, {},\n        [{}]),",
            profile.device,
            profile.engine,
            version(profile.version),
            profile.precision,
            profile.mixture,
            profile.kv_precision,
            profile.runs,
            profile.most_in_flight.unwrap_or(0),
            bar(profile.error_pct),
            values.join(", ")
        )?;
    }
    Ok(())
}
