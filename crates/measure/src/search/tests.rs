use proptest::prelude::*;

use super::*;

/// The loads that a search measures where those up to `largest` meet the limits.
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
    // verdicts may change when tokens are counted again after the load
    let odd = rest(&[(17.0, Verdict::Fails), (129.0, Verdict::Meets), (8.0, Verdict::Meets)], false);
    assert_eq!((odd.meets_at, odd.fails_at), (Some(8.0), Some(17.0)));
    assert!(odd.sentence.ends_with("contradict each other: 129 in flight is within the limits although 17 in flight is not."));
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
    // both loads fail when measured again
    let lucky = at_the_edge(&[Fails, Fails], false);
    assert_eq!((lucky.meets_at, lucky.fails_at, lucky.is_confirmed), (None, Some(3.0), true));
    assert!(lucky.sentence.contains("2 in flight was measured twice, once within the limits and once over them"));
    let unlucky = at_the_edge(&[Meets, Meets], false);
    assert_eq!((unlucky.meets_at, unlucky.fails_at), (Some(2.0), None));
    assert!(unlucky.sentence.contains("no larger concurrency was found to be over them"), "{}", unlucky.sentence);
    // an undecided second measurement does not revoke the first
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
