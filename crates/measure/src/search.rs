//! The search for the largest load within latency limits: which load comes next, and what was found. Pure.
//!
//! The user's bounds are laid out as a row of candidates: every whole concurrency where there are at most 511, else steps
//! of a few per cent; rates in steps of 5 %. The row is bracketed and halved: a load that meets the limits leaves those above
//! it, one that does not leaves those below. The first step is to the geometric middle of the bounds, since a load far over
//! what the engine can take costs the most time; after it no more steps are taken than halving needs, nine at most, and no
//! load is put on twice. A load above one that fails is taken to fail as well.

use crate::load::{LoadVariable, OfferedLoad};
use crate::validity::SearchOutcome;

/// Candidates that can be told apart in nine steps, halving; and with one step to spare.
const EXACT: u32 = 511;
const COARSE: usize = 255;
/// Rates closer than this to each other are not told apart.
const RATE_STEP: f64 = 1.05;

/// What a load point came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Meets,
    Fails,
    /// Too few samples, or none that count.
    Open,
}

impl From<Option<bool>> for Verdict {
    fn from(meets: Option<bool>) -> Self {
        match meets {
            Some(true) => Self::Meets,
            Some(false) => Self::Fails,
            None => Self::Open,
        }
    }
}

/// A search on its way.
#[derive(Debug, Clone)]
pub struct Search {
    variable: LoadVariable,
    row: Vec<f64>,
    /// Candidates that are still open: from, until.
    open: (usize, usize),
    /// Steps that may still be taken.
    left: u32,
    /// Whether a load decided nothing: there is no way on.
    stuck: bool,
}

impl Search {
    /// A search between bounds, both included. Of concurrencies, whole numbers.
    pub fn new(variable: LoadVariable, min: f64, max: f64) -> Self {
        let row = match variable {
            LoadVariable::Concurrency => concurrencies(min.ceil().max(1.0) as u32, max.floor().max(1.0) as u32),
            LoadVariable::Rate => rates(min, max),
        };
        let needed = steps(row.len());
        let left = if row.len() <= COARSE { needed + 1 } else { needed };
        Self { variable, open: (0, row.len()), row, left, stuck: false }
    }

    /// The load that comes next; nothing when the answer is found, or can't be.
    pub fn next(&self) -> Option<f64> {
        self.place().map(|place| self.row[place])
    }

    /// The same with what it is a load of.
    pub fn next_offered(&self) -> Option<OfferedLoad> {
        Some(match self.variable {
            LoadVariable::Concurrency => OfferedLoad::Concurrency { concurrency: self.next()? as u32 },
            LoadVariable::Rate => OfferedLoad::Rate { rate: self.next()? },
        })
    }

    /// Most load points that can still come.
    pub fn most_left(&self) -> u32 {
        if self.place().is_some() { self.left } else { 0 }
    }

    fn place(&self) -> Option<usize> {
        let (from, until) = self.open;
        if from >= until || self.stuck {
            return None;
        }
        // either side must be left small enough for the steps that remain
        let half = 1_usize << (self.left.clamp(1, 32) - 1);
        let middle = (self.row[from] * self.row[until - 1]).sqrt();
        let wished = from + self.row[from..until].partition_point(|load| *load < middle);
        Some(wished.clamp(until.saturating_sub(half).max(from), (until - 1).min(from + half - 1)))
    }

    /// What the load that came next came to.
    pub fn answer(&mut self, verdict: Verdict) {
        let Some(place) = self.place() else { return };
        match verdict {
            Verdict::Meets => self.open.0 = place + 1,
            Verdict::Fails => self.open.1 = place,
            Verdict::Open => self.stuck = true,
        }
        self.left = self.left.saturating_sub(1);
    }
}

/// Steps that halving takes to tell so many candidates, and none of them, apart.
fn steps(candidates: usize) -> u32 {
    usize::BITS - candidates.leading_zeros()
}

fn concurrencies(min: u32, max: u32) -> Vec<f64> {
    if max.saturating_sub(min) < EXACT {
        return (min..=max.max(min)).map(f64::from).collect();
    }
    let row = |ratio: f64| {
        let mut row = vec![min];
        while let Some(last) = row.last().copied().filter(|last| *last < max) {
            row.push((((f64::from(last)) * ratio).round() as u32).max(last + 1).min(max));
        }
        row
    };
    let ratios = (1..).map(|percent| 1.0 + f64::from(percent) / 100.0);
    ratios.map(row).find(|row| row.len() <= COARSE).unwrap_or_default().into_iter().map(f64::from).collect()
}

fn rates(min: f64, max: f64) -> Vec<f64> {
    let row = |ratio: f64| {
        let mut row = vec![min];
        let mut at = min;
        while at * ratio < max {
            at *= ratio;
            row.push(three_digits(at).clamp(min, max));
        }
        if max > min {
            row.push(max);
        }
        row.dedup();
        row
    };
    let ratios = (0..).map(|power| RATE_STEP.powi(power + 1));
    ratios.map(row).find(|row| row.len() <= COARSE).unwrap_or_default()
}

fn three_digits(value: f64) -> f64 {
    let unit = 10_f64.powf(value.log10().floor() - 2.0);
    let rounded = (value / unit).round() * unit;
    // what the unit's own rounding left behind
    format!("{rounded:.9}").parse().unwrap_or(rounded)
}

/// What the loads that were put on say together. `ended` when no further load was put on although one was to come.
pub fn outcome(variable: LoadVariable, (min, max): (f64, f64), seen: &[(f64, Verdict)], ended: bool) -> SearchOutcome {
    let loads = |verdict: Verdict| seen.iter().filter(move |(_, seen)| *seen == verdict).map(|(load, _)| *load);
    let fails_at = loads(Verdict::Fails).min_by(f64::total_cmp);
    let under = |load: &f64| fails_at.is_none_or(|fails| *load < fails);
    let meets_at = loads(Verdict::Meets).filter(under).max_by(f64::total_cmp);
    let name = match variable {
        LoadVariable::Concurrency => "concurrency",
        LoadVariable::Rate => "rate",
    };
    let row = Search::new(variable, min, max).row;
    let least = row.first().copied().unwrap_or(min);
    let most = row.last().copied().unwrap_or(max);
    let mut sentence = match (meets_at, fails_at) {
        (Some(meets), Some(fails)) if variable == LoadVariable::Concurrency && fails - meets <= 1.0 => {
            format!(
                "The largest {name} within the limits is {}: {} is over them.",
                words(variable, meets),
                words(variable, fails)
            )
        }
        (Some(meets), Some(fails)) => format!(
            "The largest {name} within the limits lies from {} up to, but not at, {}.",
            words(variable, meets),
            words(variable, fails)
        ),
        (Some(meets), None) if meets >= most => {
            format!("Even the largest {name} that was allowed, {}, is within the limits.", words(variable, meets))
        }
        (Some(meets), None) => {
            format!("{} is within the limits; no larger {name} was found to be over them.", words(variable, meets))
        }
        (None, Some(fails)) if fails <= least => {
            format!("No {name} is within the limits: the least that was allowed, {}, is over them.", words(variable, fails))
        }
        (None, Some(fails)) => {
            format!("{} is over the limits; no smaller {name} was found to be within them.", words(variable, fails))
        }
        (None, None) => format!("No {name} was found to be within the limits or over them."),
    };
    if let (Some(fails), Some(above)) = (fails_at, loads(Verdict::Meets).find(|load| !under(load))) {
        sentence.push_str(&format!(
            " Results contradict each other: {} is within the limits although {} is not.",
            words(variable, above),
            words(variable, fails)
        ));
    }
    if let Some(open) = loads(Verdict::Open).next() {
        sentence.push_str(&format!(
            " At {} the percentile could not be decided, since too few requests were counted or the client was late: the search ended there.",
            words(variable, open)
        ));
    } else if ended {
        sentence.push_str(" The search was ended before its answer was found.");
    }
    SearchOutcome { variable, min, max, meets_at, fails_at, sentence }
}

fn words(variable: LoadVariable, load: f64) -> String {
    format!("{load} {}", variable.long_unit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The loads that a search puts on where those up to `largest` meet the limits.
    fn search(variable: LoadVariable, min: f64, max: f64, largest: f64) -> (Vec<(f64, Verdict)>, SearchOutcome) {
        let mut search = Search::new(variable, min, max);
        let mut seen = Vec::new();
        while let Some(load) = search.next() {
            assert!(u32::try_from(seen.len()).unwrap() + search.most_left() <= 9, "{min}–{max}");
            let verdict = if load <= largest { Verdict::Meets } else { Verdict::Fails };
            seen.push((load, verdict));
            search.answer(verdict);
        }
        let found = outcome(variable, (min, max), &seen, false);
        (seen, found)
    }

    proptest! {
        #[test]
        fn the_largest_whole_number_is_found_in_nine_steps(min in 1_u32..5_000, width in 0_u32..511, at in 0_u32..514) {
            let max = min + width;
            let largest = min + at.min(width + 1) - 1;
            let (seen, found) =
                search(LoadVariable::Concurrency, f64::from(min), f64::from(max), f64::from(largest));
            prop_assert!(!seen.is_empty() && seen.len() <= 9);
            prop_assert_eq!(found.meets_at, (largest >= min).then_some(f64::from(largest)));
            prop_assert_eq!(found.fails_at, (largest < max).then_some(f64::from(largest + 1)));
            let mut loads: Vec<f64> = seen.iter().map(|(load, _)| *load).collect();
            prop_assert!(loads.iter().all(|load| (f64::from(min)..=f64::from(max)).contains(load) && load.fract() == 0.0));
            loads.sort_unstable_by(f64::total_cmp);
            loads.dedup();
            prop_assert_eq!(loads.len(), seen.len());
        }

        #[test]
        fn wide_bounds_are_bracketed_in_nine_steps(min in 1_u32..100, max in 700_u32..100_000, share in 0.0..1.0) {
            let largest = f64::from(min) * f64::from(max / min).powf(share);
            let (seen, found) = search(LoadVariable::Concurrency, f64::from(min), f64::from(max), largest);
            prop_assert!(seen.len() <= 9);
            let (meets, fails) = (found.meets_at.unwrap(), found.fails_at.unwrap_or(f64::INFINITY));
            prop_assert!(meets <= largest && largest < fails);
            prop_assert!(fails.is_infinite() || fails <= (meets * 1.06).max(meets + 1.0), "{} {}", meets, fails);
        }

        #[test]
        fn rates_are_bracketed_within_their_step(min in 0.01..50.0_f64, factor in 1.001..20_000.0_f64, share in -0.1..1.1_f64) {
            let max = min * factor;
            let (seen, found) = search(LoadVariable::Rate, min, max, min * factor.powf(share));
            prop_assert!(seen.len() <= 9);
            prop_assert!(seen.iter().all(|(load, _)| (min..=max).contains(load)));
            if let (Some(meets), Some(fails)) = (found.meets_at, found.fails_at) {
                prop_assert!(meets < fails && fails <= meets * 1.12, "{} {}", meets, fails);
            }
        }
    }

    #[test]
    fn the_first_step_is_not_far_over_what_an_engine_can_take() {
        assert_eq!(Search::new(LoadVariable::Concurrency, 1.0, 256.0).next(), Some(16.0));
        assert_eq!(Search::new(LoadVariable::Concurrency, 3.0, 3.0).next(), Some(3.0));
        let first = Search::new(LoadVariable::Concurrency, 1.0, 10_000.0).next().unwrap();
        assert!((90.0..110.0).contains(&first), "{first}");
    }

    #[test]
    fn every_end_has_its_sentence() {
        let of = |largest| search(LoadVariable::Concurrency, 1.0, 256.0, largest).1.sentence;
        assert_eq!(of(87.0), "The largest concurrency within the limits is 87 in flight: 88 in flight is over them.");
        assert_eq!(of(0.0), "No concurrency is within the limits: the least that was allowed, 1 in flight, is over them.");
        assert_eq!(of(999.0), "Even the largest concurrency that was allowed, 256 in flight, is within the limits.");
        assert_eq!(
            search(LoadVariable::Rate, 1.0, 100.0, 4.3).1.sentence,
            "The largest rate within the limits lies from 4.12 requests per second up to, but not at, 4.32 requests per second."
        );
        let rest = |seen: &[(f64, Verdict)], ended| outcome(LoadVariable::Concurrency, (1.0, 256.0), seen, ended);
        let open = rest(&[(17.0, Verdict::Open)], false);
        assert_eq!((open.meets_at, open.fails_at), (None, None));
        assert_eq!(
            open.sentence,
            "No concurrency was found to be within the limits or over them. At 17 in flight the percentile could not be decided, since too few requests were counted or the client was late: the search ended there."
        );
        let ended = rest(&[(17.0, Verdict::Meets)], true);
        assert_eq!(
            (ended.meets_at, ended.sentence.as_str()),
            (
                Some(17.0),
                "17 in flight is within the limits; no larger concurrency was found to be over them. The search was ended before its answer was found."
            )
        );
        // figures that were counted once more after the load may turn out otherwise
        let odd = rest(&[(17.0, Verdict::Fails), (129.0, Verdict::Meets), (8.0, Verdict::Meets)], false);
        assert_eq!((odd.meets_at, odd.fails_at), (Some(8.0), Some(17.0)));
        assert!(
            odd.sentence.ends_with("contradict each other: 129 in flight is within the limits although 17 in flight is not.")
        );
    }

    #[test]
    fn a_load_that_decides_nothing_ends_the_search() {
        let mut search = Search::new(LoadVariable::Rate, 1.0, 10.0);
        assert!(search.next().is_some() && search.most_left() > 3);
        search.answer(Verdict::Open);
        assert_eq!((search.next(), search.most_left()), (None, 0));
    }
}
