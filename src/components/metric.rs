//! Metric names as buttons that open the metric's definition in a native popover: by mouse, touch and keyboard, closed by
//! Escape, without scripts.

use leptos::prelude::*;

use dyno_measure::metrics::{METRICS, metric};

fn tip_id(id: &str) -> String {
    format!("tip-{id}")
}

/// A metric's name that opens its definition. Needs [`MetricTips`] on the page.
#[component]
pub fn Term(
    /// The metric's id, such as `ttft_ms`.
    id: &'static str,
    /// Whether the unit follows the name.
    #[prop(optional)]
    with_unit: bool,
    /// A text instead of the metric's name: `TTFT p99, ms`.
    #[prop(optional, into)]
    text: Option<String>,
) -> impl IntoView {
    metric(id).map(|metric| {
        let text = text.unwrap_or_else(|| {
            if with_unit && !metric.unit.is_empty() {
                format!("{}, {}", metric.name, metric.unit)
            } else {
                metric.name.to_owned()
            }
        });
        view! {
            <button type="button" class="term" popovertarget=tip_id(metric.id)>
                {text}
                <span class="visually-hidden">": what it means"</span>
            </button>
        }
    })
}

/// A question mark that opens a metric's definition, where the name itself is a link.
#[component]
pub fn TermMark(id: &'static str) -> impl IntoView {
    metric(id).map(|metric| {
        view! {
            <button type="button" class="term term-mark" popovertarget=tip_id(metric.id)>
                <span aria-hidden="true">"?"</span>
                <span class="visually-hidden">{format!("What {} means", metric.name)}</span>
            </button>
        }
    })
}

/// The definitions, once per page.
#[component]
pub fn MetricTips() -> impl IntoView {
    METRICS
        .iter()
        .map(|metric| {
            view! {
                <div popover="auto" id=tip_id(metric.id) class="tip" role="note" aria-label=metric.long_name>
                    <p class="tip-name">{metric.long_name}</p>
                    <p>
                        <code>{metric.formula}</code>
                    </p>
                    <p>{metric.words}</p>
                    {(!metric.elsewhere.is_empty())
                        .then(|| view! { <p class="muted">"Other tools: "{metric.elsewhere}</p> })}
                </div>
            }
        })
        .collect_view()
        .into_any()
}
