//! Figures for people: three significant digits, grouped integers, units. Absent figures are worded, never 0.

use leptos::prelude::*;

use dyno_measure::run::RunKind;
pub use dyno_measure::words::{bytes, few_samples, figure, grouped, magnitude, percent, span as duration};

/// A figure, marked if it is simulated.
pub fn of_kind(kind: RunKind, figure: String) -> String {
    match kind {
        RunKind::Measured => figure,
        RunKind::Simulated => format!("≈\u{a0}{figure}"),
    }
}

/// Whether an error rate (0 to 1) is marked as high: over 1 %.
pub fn is_high(error_rate: f64) -> bool {
    error_rate > 0.01
}

/// A number with its noun: `1 request`, `1,280 requests`.
pub fn count(number: u64, singular: &str, plural: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { singular } else { plural })
}

/// A figure with its unit, or a text if absent.
#[component]
pub fn Figure(
    value: Option<f64>,
    /// `ms`, `tokens/s`, …; empty where the column's header has it.
    #[prop(optional, into)]
    unit: String,
    /// The text for an absent value.
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
