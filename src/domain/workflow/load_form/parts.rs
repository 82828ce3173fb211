//! Errors of fields that are parts of one option: the API's rule names the option, the form names its fields, all of them at
//! once.

use super::{Amount, Goal, LoadForm, bare};
use crate::domain::problem::FieldError;

const STEP: u8 = 2;
/// Largest upper bound of a search.
const MOST_LOAD: f64 = 100_000.0;

/// The option that a field is a part of; `None` for a field that is an option itself.
pub fn option_of(field: &str) -> Option<&'static str> {
    Some(match field {
        "rate" | "process" | "burstiness" => "arrival",
        "slo_preset" | "ttft_ms" | "tpot_ms" | "e2el_ms" | "percentile" | "search_min" | "search_max" => "slo",
        "input_min" | "input_mean" | "input_std" => "input_lengths",
        "output_min" | "output_mean" | "output_std" => "output_lengths",
        _ => return None,
    })
}

struct LoadParts {
    errors: Vec<FieldError>,
}

impl LoadParts {
    fn refuse(&mut self, field: &str, message: impl Into<String>) {
        self.errors.push(FieldError::at(STEP, field, message));
    }

    /// Parses a number above 0 where one is entered; `missing` is the error where none is.
    fn number(&mut self, field: &str, typed: &str, title: &str, missing: Option<&str>) -> Option<f64> {
        let text = bare(typed.trim());
        if text.is_empty() {
            if let Some(missing) = missing {
                self.refuse(field, missing);
            }
            return None;
        }
        let number = text.parse::<f64>().ok().filter(|number| *number > 0.0 && number.is_finite());
        if number.is_none() {
            self.refuse(field, format!("{title} must be a number above 0."));
        }
        number
    }
}

impl LoadForm {
    /// Errors of the parts of options, and of choices whose field is empty.
    pub fn part_errors(&self) -> Vec<FieldError> {
        let form = self.resolved();
        let mut parts = LoadParts { errors: Vec::new() };
        form.check_load(&mut parts);
        form.check_limits(&mut parts);
        form.check_lengths(&mut parts);
        let of = |amount: Amount| form.amount == amount.into_str();
        if of(Amount::Own) && form.num_requests.trim().is_empty() {
            parts.refuse("num_requests", "Enter a number of requests.");
        }
        if of(Amount::Time) && form.duration_s.trim().is_empty() {
            parts.refuse("duration_s", "Enter for how many seconds to measure.");
        }
        parts.errors
    }

    fn check_load(&self, parts: &mut LoadParts) {
        if self.is_rate() {
            let own = self.goal.is_empty() || self.is(Goal::OneLoad);
            let named = !self.load_points.trim().is_empty() || !self.search_min.trim().is_empty();
            let missing = (own && !named).then_some("Enter a rate, in requests per second.");
            parts.number("rate", &self.rate, "Rate", missing);
            parts.number("burstiness", &self.burstiness, "Burstiness", None);
        }
        if self.is(Goal::Sweep) && self.points().is_empty() {
            parts.refuse("load_points", "Enter the loads, with commas between them: 1, 2, 4, 8.");
        }
    }

    fn check_limits(&self, parts: &mut LoadParts) {
        let ttft = parts.number("ttft_ms", &self.ttft_ms, "The TTFT limit", None);
        let tpot = parts.number("tpot_ms", &self.tpot_ms, "The TPOT limit", None);
        let e2el = parts.number("e2el_ms", &self.e2el_ms, "The E2E latency limit", None);
        let is_typed = [&self.ttft_ms, &self.tpot_ms, &self.e2el_ms, &self.slo_preset].iter().any(|text| !text.trim().is_empty());
        let has_bounds = !(self.search_min.trim().is_empty() && self.search_max.trim().is_empty());
        let needs_limit = has_bounds || self.is(Goal::Search) || (!self.goal.is_empty() && self.limits == "yes");
        let judged = ttft.or(tpot).or(e2el).is_some() || is_typed;
        if needs_limit && !judged {
            parts.refuse("slo", "Enter at least one limit: TTFT, TPOT or E2E latency.");
        }
        if judged {
            let percentile = parts.number("percentile", &self.percentile, "Percentile", None);
            if percentile.is_some_and(|percentile| percentile >= 100.0) {
                parts.refuse("percentile", "Percentile must be below 100.");
            }
        }
        if has_bounds || self.is(Goal::Search) {
            let min = parts.number("search_min", &self.search_min, "From", Some("Enter the least load of the search."));
            let max = parts.number("search_max", &self.search_max, "To", Some("Enter the largest load of the search."));
            match (min, max) {
                (_, Some(max)) if max > MOST_LOAD => parts.refuse("search_max", "To must be 100,000 or less."),
                (Some(min), Some(max)) if min >= max => parts.refuse("search_max", "To must be above From."),
                _ => {}
            }
        }
    }

    fn check_lengths(&self, parts: &mut LoadParts) {
        if self.eval_with == "dataset" {
            return;
        }
        let sides = [
            ("input", &self.input_lengths, &self.input_min, &self.input_mean, &self.input_std),
            ("output", &self.output_lengths, &self.output_min, &self.output_mean, &self.output_std),
        ];
        for (side, kind, min, mean, std) in sides {
            let of = |part: &str| format!("{side}_{part}");
            match kind.as_str() {
                "uniform" => {
                    let missing = format!("Enter the least {side} length, in tokens.");
                    parts.number(&of("min"), min, &format!("The least {side} length"), Some(&missing));
                }
                "normal" | "lognormal" => {
                    let missing = format!("Enter the mean {side} length, in tokens.");
                    parts.number(&of("mean"), mean, &format!("The mean {side} length"), Some(&missing));
                    let missing = format!("Enter the deviation of the {side} lengths, in tokens.");
                    parts.number(&of("std"), std, &format!("The deviation of the {side} lengths"), Some(&missing));
                }
                _ => {}
            }
        }
    }
}
