//! Bounds that a search could have, where a simulation has found about where its answer lies.

use serde::{Deserialize, Serialize};

use super::{Search, three_digits, words};
use crate::load::LoadVariable;

/// The answer may lie this many times lower or higher than simulated.
const MARGIN: f64 = 2.0;

/// Bounds suggested for a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SuggestedBounds {
    pub min: f64,
    pub max: f64,
    /// What speaks for them.
    pub sentence: String,
}

/// Other bounds for a search between `min` and `max`, if the largest load within the limits is `edge`: where that lies outside, or where narrower
/// bounds save loads. They are twice lower and higher than the edge, and never wider than those asked for while the edge is between them.
pub fn suggested_bounds(variable: LoadVariable, (min, max): (f64, f64), edge: f64) -> Option<SuggestedBounds> {
    let least = if variable == LoadVariable::Concurrency { 1.0 } else { f64::MIN_POSITIVE };
    let (low, high) = match variable {
        LoadVariable::Concurrency => ((edge / MARGIN).floor().max(least), (edge * MARGIN).ceil()),
        LoadVariable::Rate => (three_digits(edge / MARGIN), three_digits(edge * MARGIN)),
    };
    let is_inside = min <= edge && edge < max;
    let (low, high) = if is_inside { (low.max(min), high.min(max)) } else { (low, high) };
    if low >= high {
        return None;
    }
    let loads = |min, max| Search::new(variable, min, max).most_left();
    let (now, then) = (loads(min, max), loads(low, high));
    let at = words(variable, edge);
    let sentence = if !is_inside {
        format!("By simulation the limits hold up to about {at}, outside of the bounds of this search.")
    } else if then < now {
        format!(
            "By simulation the limits hold up to about {at}: a search from {low} to {high} tries at most {then} loads instead of {now}."
        )
    } else {
        return None;
    };
    Some(SuggestedBounds { min: low, max: high, sentence })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suggested(variable: LoadVariable, bounds: (f64, f64), edge: f64) -> Option<(f64, f64)> {
        suggested_bounds(variable, bounds, edge).map(|bounds| (bounds.min, bounds.max))
    }

    #[test]
    fn bounds_are_narrowed_only_where_that_saves_loads() {
        assert_eq!(suggested(LoadVariable::Concurrency, (1.0, 256.0), 24.0), Some((12.0, 48.0)));
        assert_eq!(suggested(LoadVariable::Concurrency, (12.0, 48.0), 24.0), None);
        assert_eq!(suggested(LoadVariable::Concurrency, (1.0, 256.0), 200.0), None, "100 to 256 tries nearly as many");
        let bounds = suggested_bounds(LoadVariable::Concurrency, (1.0, 256.0), 24.0).unwrap();
        assert_eq!(
            bounds.sentence,
            "By simulation the limits hold up to about 24 in flight: a search from 12 to 48 tries at most 9 loads instead of 11."
        );
    }

    #[test]
    fn bounds_that_miss_the_answer_are_moved() {
        assert_eq!(suggested(LoadVariable::Concurrency, (1.0, 8.0), 40.0), Some((20.0, 80.0)));
        assert_eq!(suggested(LoadVariable::Concurrency, (64.0, 128.0), 1.0), Some((1.0, 2.0)));
        assert_eq!(suggested(LoadVariable::Rate, (10.0, 20.0), 3.0), Some((1.5, 6.0)));
        // the largest load allowed meets the limits: the answer is above it
        assert_eq!(suggested(LoadVariable::Concurrency, (1.0, 8.0), 8.0), Some((4.0, 16.0)));
    }
}
