//! The search for the largest load within latency limits: which load comes next, and what was found. Pure.
//!
//! The user's bounds are laid out as a row of candidates: every whole concurrency where there are at most 511, else steps
//! of a few per cent; rates in steps of 5 %. The row is bracketed and halved: a load that meets the limits leaves those above
//! it, one that does not leaves those below. The first step is to the geometric middle of the bounds, since a load far over
//! what the engine can take costs the most time; after it no more steps are taken than halving needs, nine at most. A load
//! above one that fails is taken to fail as well.
//!
//! Then the edge is confirmed: the largest load that met the limits and the least that did not are put on once more, with
//! all of their requests. No other load is put on twice.

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
    /// Loads that have been put on again.
    confirmed: usize,
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
        Self { variable, open: (0, row.len()), row, left, stuck: false, confirmed: 0 }
    }

    /// The load that comes next; nothing when the answer is found, or can't be.
    pub fn next(&self) -> Option<f64> {
        match self.place() {
            Some(place) => Some(self.row[place]),
            None => self.edge().get(self.confirmed).copied(),
        }
    }

    /// Whether the load that comes next is put on again, to confirm what it came to.
    pub fn is_confirming(&self) -> bool {
        self.place().is_none() && self.confirmed < self.edge().len()
    }

    /// The largest load that met the limits, and the least that did not, once both are known.
    fn edge(&self) -> Vec<f64> {
        let (from, until) = self.open;
        if from < until || self.stuck {
            return Vec::new();
        }
        let below = from.checked_sub(1).and_then(|place| self.row.get(place));
        below.into_iter().chain(self.row.get(until)).copied().collect()
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
        let steps = if self.place().is_some() { self.left } else { 0 };
        steps + self.confirmations_left()
    }

    /// Most load points that can still come to confirm the edge.
    pub fn confirmations_left(&self) -> u32 {
        let loads = match self.place() {
            Some(_) => self.row.len().min(2),
            None => self.edge().len() - self.confirmed,
        };
        loads as u32
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
        let Some(place) = self.place() else {
            self.confirmed = (self.confirmed + 1).min(self.edge().len());
            return;
        };
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

/// What the loads that were put on, in their order, say together. `ended` when no further load was put on although one was to
/// come.
pub fn outcome(variable: LoadVariable, (min, max): (f64, f64), seen: &[(f64, Verdict)], ended: bool) -> SearchOutcome {
    let tried = tried(seen);
    let loads = |verdict: Verdict| tried.iter().filter(move |one| one.verdict == Some(verdict)).map(|one| one.load);
    let fails_at = loads(Verdict::Fails).min_by(f64::total_cmp);
    let under = |load: &f64| fails_at.is_none_or(|fails| *load < fails);
    let meets_at = loads(Verdict::Meets).filter(under).max_by(f64::total_cmp);
    let name = match variable {
        LoadVariable::Concurrency => "concurrency",
        LoadVariable::Rate => "rate",
    };
    let mut search = Search::new(variable, min, max);
    let least = search.row.first().copied().unwrap_or(min);
    let most = search.row.last().copied().unwrap_or(max);
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
    for one in tried.iter().filter(|one| one.verdict.is_none()) {
        sentence.push_str(&format!(
            " {} was measured twice, once within the limits and once over them: it lies at the edge.",
            words(variable, one.load)
        ));
    }
    let edge: Vec<&Tried> = tried.iter().filter(|one| [meets_at, fails_at].contains(&Some(one.load))).collect();
    let is_confirmed = !edge.is_empty() && edge.iter().all(|one| one.times > 1);
    if is_confirmed {
        let which = if edge.len() > 1 { "both" } else { "it" };
        sentence.push_str(&format!(" Measured once more in full, {which} came to the same."));
    }
    for (_, verdict) in seen {
        search.answer(*verdict);
    }
    if let Some(open) = loads(Verdict::Open).next() {
        sentence.push_str(&format!(
            " At {} the percentile could not be decided, since too few requests were counted or the client was late: the search ended there.",
            words(variable, open)
        ));
    } else if ended && search.is_confirming() {
        sentence.push_str(" The search was ended before its answer was confirmed by a second measurement.");
    } else if ended && search.next().is_some() {
        sentence.push_str(" The search was ended before its answer was found.");
    }
    SearchOutcome { variable, min, max, meets_at, fails_at, is_confirmed, sentence }
}

/// A load that was put on, once or to confirm it.
struct Tried {
    load: f64,
    /// What each time came to that decided anything; absent where one met the limits and another did not.
    verdict: Option<Verdict>,
    /// How often it was decided.
    times: u32,
}

/// Each load once.
fn tried(seen: &[(f64, Verdict)]) -> Vec<Tried> {
    let mut tried: Vec<Tried> = Vec::new();
    for (load, verdict) in seen {
        let decides = u32::from(*verdict != Verdict::Open);
        let Some(before) = tried.iter_mut().find(|one| one.load.total_cmp(load).is_eq()) else {
            tried.push(Tried { load: *load, verdict: Some(*verdict), times: decides });
            continue;
        };
        before.times += decides;
        before.verdict = match (before.verdict, *verdict) {
            (verdict, Verdict::Open) => verdict,
            (Some(Verdict::Open), verdict) => Some(verdict),
            (Some(one), other) if one == other => Some(one),
            _ => None,
        };
    }
    tried
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
            assert!(u32::try_from(seen.len()).unwrap() + search.most_left() <= 11, "{min}–{max}");
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
            prop_assert!(!seen.is_empty() && seen.len() <= 11);
            prop_assert!(found.is_confirmed, "{}", found.sentence);
            prop_assert_eq!(found.meets_at, (largest >= min).then_some(f64::from(largest)));
            prop_assert_eq!(found.fails_at, (largest < max).then_some(f64::from(largest + 1)));
            let mut loads: Vec<f64> = seen.iter().map(|(load, _)| *load).collect();
            prop_assert!(loads.iter().all(|load| (f64::from(min)..=f64::from(max)).contains(load) && load.fract() == 0.0));
            let again: Vec<f64> = found.meets_at.into_iter().chain(found.fails_at).collect();
            prop_assert_eq!(&loads[loads.len() - again.len()..], &again);
            loads.sort_unstable_by(f64::total_cmp);
            loads.dedup();
            prop_assert!(loads.len() <= 9);
            prop_assert_eq!(loads.len() + again.len(), seen.len(), "no load twice but those of the edge");
        }

        #[test]
        fn wide_bounds_are_bracketed_in_nine_steps(min in 1_u32..100, max in 700_u32..100_000, share in 0.0..1.0) {
            let largest = f64::from(min) * f64::from(max / min).powf(share);
            let (seen, found) = search(LoadVariable::Concurrency, f64::from(min), f64::from(max), largest);
            prop_assert!(seen.len() <= 11);
            let (meets, fails) = (found.meets_at.unwrap(), found.fails_at.unwrap_or(f64::INFINITY));
            prop_assert!(meets <= largest && largest < fails);
            prop_assert!(fails.is_infinite() || fails <= (meets * 1.06).max(meets + 1.0), "{} {}", meets, fails);
        }

        #[test]
        fn rates_are_bracketed_within_their_step(min in 0.01..50.0_f64, factor in 1.001..20_000.0_f64, share in -0.1..1.1_f64) {
            let max = min * factor;
            let (seen, found) = search(LoadVariable::Rate, min, max, min * factor.powf(share));
            prop_assert!(seen.len() <= 11);
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
        let edge = "The largest concurrency within the limits is 87 in flight: 88 in flight is over them.";
        assert_eq!(of(87.0), format!("{edge} Measured once more in full, both came to the same."));
        assert_eq!(
            of(0.0),
            "No concurrency is within the limits: the least that was allowed, 1 in flight, is over them. Measured once more in full, it came to the same."
        );
        assert_eq!(
            of(999.0),
            "Even the largest concurrency that was allowed, 256 in flight, is within the limits. Measured once more in full, it came to the same."
        );
        assert_eq!(
            search(LoadVariable::Rate, 1.0, 100.0, 4.3).1.sentence,
            "The largest rate within the limits lies from 4.12 requests per second up to, but not at, 4.32 requests per second. Measured once more in full, both came to the same."
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
    fn at_the_edge(again: &[Verdict], ended: bool) -> SearchOutcome {
        let mut search = Search::new(LoadVariable::Concurrency, 1.0, 3.0);
        let mut seen = Vec::new();
        for verdict in [Verdict::Meets, Verdict::Fails].iter().chain(again) {
            seen.push((search.next().unwrap(), *verdict));
            search.answer(*verdict);
        }
        assert_eq!(search.most_left() > 0, ended, "{seen:?}");
        outcome(LoadVariable::Concurrency, (1.0, 3.0), &seen, ended)
    }

    #[test]
    fn an_edge_that_two_measurements_see_differently_is_a_range() {
        use Verdict::{Fails, Meets, Open};
        let same = at_the_edge(&[Meets, Fails], false);
        assert_eq!((same.meets_at, same.fails_at, same.is_confirmed), (Some(2.0), Some(3.0), true));
        // the first time was luck
        let lucky = at_the_edge(&[Fails, Fails], false);
        assert_eq!((lucky.meets_at, lucky.fails_at, lucky.is_confirmed), (None, Some(3.0), true));
        assert!(lucky.sentence.contains("2 in flight was measured twice, once within the limits and once over them"));
        let unlucky = at_the_edge(&[Meets, Meets], false);
        assert_eq!((unlucky.meets_at, unlucky.fails_at), (Some(2.0), None));
        assert!(unlucky.sentence.contains("no larger concurrency was found to be over them"), "{}", unlucky.sentence);
        // a second time that decides nothing takes nothing away
        let late = at_the_edge(&[Open, Fails], false);
        assert_eq!((late.meets_at, late.fails_at, late.is_confirmed), (Some(2.0), Some(3.0), false));
        assert!(late.sentence.ends_with("3 in flight is over them."), "{}", late.sentence);
        let ended = at_the_edge(&[Meets], true);
        assert!(!ended.is_confirmed && ended.sentence.ends_with("before its answer was confirmed by a second measurement."));
    }

    #[test]
    fn confirmations_are_counted_beforehand() {
        let mut search = Search::new(LoadVariable::Concurrency, 1.0, 3.0);
        let most = search.most_left();
        let mut taken = 0;
        while search.next().is_some() {
            assert!(search.most_left() >= 1 && search.confirmations_left() <= 2);
            search.answer(if taken == 0 { Verdict::Meets } else { Verdict::Fails });
            taken += 1;
        }
        assert!(taken == 4 && taken <= most, "{taken} of {most}");
        assert_eq!(Search::new(LoadVariable::Rate, 3.0, 3.0).confirmations_left(), 1);
    }
}
