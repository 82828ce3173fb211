//! In which order errors of step 2 are listed.

/// The page's fields from top to bottom, in which order errors are listed. What is not among them comes last.
pub const FIELDS_FROM_TOP: [&str; 42] = [
    "eval_with",
    "goal",
    "arrival",
    "rate",
    "concurrent_requests",
    "load_points",
    "search_min",
    "search_max",
    "process",
    "burstiness",
    "limits",
    "slo",
    "slo_preset",
    "ttft_ms",
    "tpot_ms",
    "e2el_ms",
    "percentile",
    "lengths_preset",
    "dataset_ids",
    "max_input_tokens",
    "max_output_tokens",
    "amount",
    "num_requests",
    "duration_s",
    "warmup_requests",
    "ramp_s",
    "input_lengths",
    "input_min",
    "input_mean",
    "input_std",
    "output_lengths",
    "output_min",
    "output_mean",
    "output_std",
    "prefix",
    "multi_turn",
    "time_scale",
    "endpoint",
    "ignore_eos",
    "seed",
    "headers",
    "extra_body",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::workflow::load_form::{LoadForm, MORE};

    #[test]
    fn every_field_of_the_form_has_its_place() {
        // What the form showed as defaults: hidden fields, which no error names.
        let hidden = ["default_requests", "default_warmup"];
        let form = serde_json::to_value(LoadForm::default()).unwrap();
        let fields = form.as_object().unwrap().keys().map(String::as_str).chain(MORE.iter().copied());
        for field in fields.filter(|field| !hidden.contains(field)) {
            assert!(FIELDS_FROM_TOP.contains(&field), "{field} is not in the list");
        }
    }
}
