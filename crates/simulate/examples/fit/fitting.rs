//! Fitting: groups of rows that share a profile, each from what its pool has in common.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use strum::VariantArray as _;

use dyno_simulate::calibrate::{self, Multiplier, Observation};
use dyno_simulate::command::points::Prepared;
use dyno_simulate::device::Generation;
use dyno_simulate::engine::Engine;
use dyno_simulate::limits::Limits;
use dyno_simulate::precision::{KvPrecision, Precision};
use dyno_simulate::profile::{Efficiency, ErrorBar, Factor, Profile, ProfileQuery, Profiles, Standing};

use crate::Row;
use crate::report::{Failure, errors, percentile};

/// Fewer errors say nothing of their 90th percentile.
const LEAST_ERRORS: usize = 8;

/// Rows that are farther off from the start are not fitted.
const FARTHEST: f64 = 2.5;
const ITERATIONS: usize = 6;
/// Enough of a pool to tell what its groups have in common.
const POOL_ROWS: usize = 60;
/// Parts of cross-validation where each row or small group alone would be too many fits.
const QUARTERS: usize = 4;

/// Fits by the rows that they were made of: leaving something out changes few of them.
#[derive(Default)]
pub(crate) struct Fitted {
    pools: BTreeMap<Vec<usize>, Efficiency>,
    profiles: BTreeMap<Vec<usize>, Option<Profile>>,
}

fn groups<'a>(rows: &[&'a Row]) -> impl Iterator<Item = Vec<&'a Row>> {
    let mut groups: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        groups.entry(row.key()).or_default().push(row);
    }
    groups.into_values()
}

pub(crate) fn fit_all(rows: &[&Row], fitted: &mut Fitted) -> Profiles {
    Profiles(groups(rows).filter_map(|group| fitted.profile(&group, rows)).collect())
}

/// Profiles of `within`, of which only those are fitted that are chosen for the rows `out`: that tells as much, in less time.
pub(crate) fn fit_needed(within: &[&Row], out: &[&Row], fitted: &mut Fitted) -> Profiles {
    let mut groups: Vec<Vec<&Row>> = groups(within).collect();
    let mut profiles = Profiles(
        groups
            .iter()
            .map(|group| profile(group, Efficiency::generic(group[0].prepared.device.generation), KvPrecision::Bits16))
            .collect(),
    );
    'choose: loop {
        let mut chosen: Vec<usize> = out
            .iter()
            .filter_map(|row| {
                let Prepared { model, device, engine, version, precision, .. } = &row.prepared;
                let query = ProfileQuery { device, engine: *engine, version: *version, precision: *precision, model };
                let (closest, _) = profiles.closest(&query)?;
                profiles.0.iter().position(|profile| std::ptr::eq(profile, closest))
            })
            .collect();
        chosen.sort_unstable();
        chosen.dedup();
        for index in chosen {
            let Some(profile) = fitted.profile(&groups[index], within) else {
                groups.remove(index);
                profiles.0.remove(index);
                continue 'choose;
            };
            profiles.0[index] = profile;
        }
        return profiles;
    }
}

impl Fitted {
    fn profile(&mut self, group: &[&Row], all: &[&Row]) -> Option<Profile> {
        let first = group.first()?;
        let pool: Vec<&Row> = all.iter().copied().filter(|row| row.pool() == first.pool()).collect();
        // What a group starts from depends on all of its pool.
        let key = group.iter().chain(&pool).map(|row| row.index).collect();
        if let Some(known) = self.profiles.get(&key) {
            return known.clone();
        }
        let start = self.start(&pool)?;
        let profile = fit_rows(group, &start).map(|(efficiency, kv_precision)| profile(group, efficiency, kv_precision));
        self.profiles.insert(key, profile.clone());
        profile
    }

    /// What groups of one generation, engine and kind of model have in common, and start from: a group of few rows stays near it.
    fn start(&mut self, pool: &[&Row]) -> Option<Efficiency> {
        let first = &pool.first()?.prepared;
        let start = start(first.device.generation, first.engine, first.model.mixture.is_some());
        let key = pool.iter().map(|row| row.index).collect();
        Some(*self.pools.entry(key).or_insert_with(|| {
            let every = pool.len().div_ceil(POOL_ROWS);
            let some: Vec<&Row> = pool.iter().copied().step_by(every).collect();
            fit_rows(&some, &start).map_or(start, |(efficiency, _)| efficiency)
        }))
    }
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
    let multipliers: Vec<Multiplier> = Factor::VARIANTS
        .iter()
        .copied()
        .filter(|factor| (mixture || !factor.of_mixtures()) && (several || !factor.of_links()))
        .map(|factor| Multiplier { factors: vec![factor], ridge: 0.3, farthest: calibrate::FARTHEST })
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

fn profile(rows: &[&Row], efficiency: Efficiency, kv_precision: KvPrecision) -> Profile {
    let first = &rows[0].prepared;
    Profile {
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
        most_in_flight: rows.iter().filter_map(|row| row.prepared.scenario().in_flight(&row.prepared.workload)).max(),
        error_pct: ErrorBar::default(),
    }
}

/// What was left out of fitting says how far off a profile is.
pub(crate) fn state_errors(profiles: &mut Profiles, failures: &[Failure<'_>]) {
    for profile in &mut profiles.0 {
        let of_profile: Vec<[Option<f64>; 3]> = failures
            .iter()
            .filter(|failure| {
                let prepared = &failure.row.prepared;
                prepared.device.name == profile.device
                    && prepared.engine == profile.engine
                    && prepared.version == profile.version
                    && prepared.precision == profile.precision
                    && prepared.model.mixture.is_some() == profile.mixture
            })
            .filter_map(|failure| failure.errors)
            .collect();
        let bar = |which: usize| {
            let errors = of_profile.iter().filter_map(|errors| errors[which]);
            let mut errors: Vec<f64> = errors.map(|error| 100.0 * error.abs()).collect();
            (errors.len() >= LEAST_ERRORS).then(|| percentile(&mut errors, 0.9))
        };
        profile.error_pct = ErrorBar { ttft: bar(0), tpot: bar(1), e2el: bar(2) };
    }
}

fn start(generation: Generation, engine: Engine, mixture: bool) -> Efficiency {
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
        limits: Limits::default(),
    }
}

/// Every group is left out of the fit that predicts it.
pub(crate) fn cross_validate<'a>(rows: &[&'a Row], group: fn(&Row) -> String, fitted: &mut Fitted) -> Vec<Failure<'a>> {
    let mut names: Vec<String> = rows.iter().map(|row| group(row)).collect();
    names.sort();
    names.dedup();
    // Many small groups are left out a quarter at a time.
    let folds = names.len().min(if names.len() > 40 { QUARTERS } else { usize::MAX });
    let fold_of = rows.iter().map(|row| names.binary_search(&group(row)).unwrap_or(0) % folds).collect();
    leave_out(rows, fold_of, folds, fitted)
}

/// Every row is left out of the fit that predicts it, a quarter of all at a time, drawn by the seed.
pub(crate) fn cross_validate_rows<'a>(rows: &[&'a Row], seed: u64, fitted: &mut Fitted) -> Vec<Failure<'a>> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut drawn: Vec<(u64, usize)> = (0..rows.len()).map(|place| (random.next_u64(), place)).collect();
    drawn.sort_unstable();
    let mut fold_of = vec![0; rows.len()];
    for (order, (_, place)) in drawn.into_iter().enumerate() {
        fold_of[place] = order % QUARTERS;
    }
    leave_out(rows, fold_of, QUARTERS, fitted)
}

fn leave_out<'a>(rows: &[&'a Row], fold_of: Vec<usize>, folds: usize, fitted: &mut Fitted) -> Vec<Failure<'a>> {
    let mut all = Vec::new();
    for fold in 0..folds {
        let of_fold = |out: bool| {
            let rows = rows.iter().zip(&fold_of).filter(move |&(_, &of)| (of == fold) == out);
            rows.map(|(&row, _)| row)
        };
        let within: Vec<&Row> = of_fold(false).collect();
        let out: Vec<&Row> = of_fold(true).filter(|row| row.scored()).collect();
        all.extend(errors(&out, &fit_needed(&within, &out, fitted)));
    }
    all
}
