//! The search for the largest load within latency limits: chooses the next load, and evaluates the results. Pure.
//!
//! The bounds are divided into an ascending row of candidates: every whole concurrency where there are at most 511, else steps
//! of a few per cent; rates in steps of 5 %. The row is bisected: a load that meets the limits leaves the candidates above it,
//! one that does not leaves those below. The first step is to the geometric middle of the bounds, since loads far over the
//! engine's capacity take the most time; in all it takes no more steps than bisection needs, nine at most. Loads above one that
//! fails are assumed to fail.
//!
//! Then the edge is confirmed: the largest load that met the limits and the least that did not are measured once more, with all
//! of their requests. No other load is measured twice.

mod bounds;

pub use self::bounds::{SuggestedBounds, suggested_bounds};
use crate::load::{LoadVariable, OfferedLoad};
use crate::validity::SearchOutcome;

/// Largest number of candidates that nine bisection steps resolve, and the number that leaves a step to spare.
const EXACT: u32 = 511;
const COARSE: usize = 255;
/// Ratio of neighbouring candidate rates.
const RATE_STEP: f64 = 1.05;

/// The result of a load point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Meets,
    Fails,
    /// Undecided: too few samples, or the client sent late.
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

/// The state of a search.
#[derive(Debug, Clone)]
pub struct Search {
    variable: LoadVariable,
    row: Vec<f64>,
    /// Range of the undecided candidates: from, until (exclusive).
    open: (usize, usize),
    left: u32,
    /// Whether a load was undecided, which ends the search.
    stuck: bool,
    /// Number of loads measured again.
    confirmed: usize,
}

impl Search {
    /// A search between inclusive bounds; concurrencies are whole numbers.
    pub fn new(variable: LoadVariable, min: f64, max: f64) -> Self {
        let row = match variable {
            LoadVariable::Concurrency => concurrencies(min.ceil().max(1.0) as u32, max.floor().max(1.0) as u32),
            LoadVariable::Rate => rates(min, max),
        };
        let needed = steps(row.len());
        let left = if row.len() <= COARSE { needed + 1 } else { needed };
        Self { variable, open: (0, row.len()), row, left, stuck: false, confirmed: 0 }
    }

    /// The next load; `None` when the search is over.
    pub fn next(&self) -> Option<f64> {
        match self.place() {
            Some(place) => Some(self.row[place]),
            None => self.edge().get(self.confirmed).copied(),
        }
    }

    /// Whether the next load is a confirmation.
    pub fn is_confirming(&self) -> bool {
        self.place().is_none() && self.confirmed < self.edge().len()
    }

    /// The largest load that met the limits and the least that did not, once bisection is over.
    fn edge(&self) -> Vec<f64> {
        let (from, until) = self.open;
        if from < until || self.stuck {
            return Vec::new();
        }
        let below = from.checked_sub(1).and_then(|place| self.row.get(place));
        below.into_iter().chain(self.row.get(until)).copied().collect()
    }

    /// The next load, with its variable.
    pub fn next_offered(&self) -> Option<OfferedLoad> {
        Some(match self.variable {
            LoadVariable::Concurrency => OfferedLoad::Concurrency { concurrency: self.next()? as u32 },
            LoadVariable::Rate => OfferedLoad::Rate { rate: self.next()? },
        })
    }

    /// Largest number of further load points.
    pub fn most_left(&self) -> u32 {
        let steps = if self.place().is_some() { self.left } else { 0 };
        steps + self.confirmations_left()
    }

    /// Largest number of further confirmations.
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
        // either part must be small enough for the remaining steps
        let half = 1_usize << (self.left.clamp(1, 32) - 1);
        let middle = (self.row[from] * self.row[until - 1]).sqrt();
        let wished = from + self.row[from..until].partition_point(|load| *load < middle);
        Some(wished.clamp(until.saturating_sub(half).max(from), (until - 1).min(from + half - 1)))
    }

    /// Takes the verdict on the load that [`Self::next`] gave.
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

/// Number of bisection steps that resolve this many candidates.
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
    // removes the floating-point residue of the rounding unit
    format!("{rounded:.9}").parse().unwrap_or(rounded)
}

/// The outcome of the measured loads, in their order. `ended`: the search was stopped although a further load was due.
pub fn outcome(variable: LoadVariable, (min, max): (f64, f64), seen: &[(f64, Verdict)], ended: bool) -> SearchOutcome {
    let tried = tried(seen);
    let loads = |verdict: Verdict| tried.iter().filter(move |one| one.verdict == Some(verdict)).map(|one| one.load);
    let fails_at = loads(Verdict::Fails).min_by(f64::total_cmp);
    let under = |load: &f64| fails_at.is_none_or(|fails| *load < fails);
    let meets_at = loads(Verdict::Meets).filter(under).max_by(f64::total_cmp);
    let name = variable.into_str();
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

/// A load with the verdicts of its measurements.
struct Tried {
    load: f64,
    /// The common verdict of the decided measurements; absent where they contradict each other.
    verdict: Option<Verdict>,
    /// Number of decided measurements.
    times: u32,
}

/// Merges the measurements of each load.
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
mod tests;
