//! Figures as people read them: three significant digits, grouped integers, units. Absence is worded, never 0.

use leptos::prelude::*;

pub use dyno_measure::words::{bytes, few_samples, figure, grouped, magnitude, percent, span as duration};

/// Whether a share of failed requests, 0 to 1, asks for attention: over 1 %.
pub fn is_high(error_rate: f64) -> bool {
    error_rate > 0.01
}

/// A number with its noun: `1 request`, `1,280 requests`.
pub fn count(number: u64, singular: &str, plural: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { singular } else { plural })
}

/// A figure with its unit, or words where there is none.
#[component]
pub fn Figure(
    value: Option<f64>,
    /// `ms`, `tokens/s`, …; empty where the column's header has it.
    #[prop(optional, into)]
    unit: String,
    /// What is said when there is no value.
    #[prop(default = "not measured".to_owned(), into)]
    absent: String,
) -> impl IntoView {
    match value {
        Some(value) => view! {
            <span class="figure-value">
                {figure(value)}
                {(!unit.is_empty()).then(|| view! { <span class="figure-unit">{format!(" {unit}")}</span> })}
            </span>
        }
        .into_any(),
        None => view! { <span class="muted">{absent}</span> }.into_any(),
    }
}
