//! What each figure means: at its name as a tooltip, and in full at the end of the report.

use leptos::prelude::*;

use crate::domain::metrics::{METRICS, metric};

/// A metric's name that leads to its definition.
#[component]
pub fn Term(
    /// The metric, `ttft_ms` say.
    id: &'static str,
    /// Whether the unit stands behind the name.
    #[prop(optional)]
    with_unit: bool,
) -> impl IntoView {
    metric(id).map(|metric| {
        let name = if with_unit && !metric.unit.is_empty() {
            format!("{}, {}", metric.name, metric.unit)
        } else {
            metric.name.to_owned()
        };
        view! {
            <a class="term" href=format!("#def-{}", metric.id) title=metric.tooltip()>
                {name}
            </a>
        }
    })
}

/// Every definition.
#[component]
pub fn Definitions() -> impl IntoView {
    view! {
        <section id="definitions" class="panel" aria-labelledby="definitions-title">
            <h2 id="definitions-title">"Definitions"</h2>
            <p class="muted small">
                "t_send: the first byte of the request is handed to the socket. t_sched: its planned arrival. e_1 … e_m: arrivals of the content events. n: output tokens. Percentiles interpolate linearly over the raw samples; a bound holds at 99 % confidence whatever the distribution. Fewer than 11, 64, 130, 662 and 6,636 samples are not enough for p50, p90, p95, p99 and p99.9."
            </p>
            <dl class="definition-list">
                {METRICS
                    .iter()
                    .map(|metric| {
                        view! {
                            <div id=format!("def-{}", metric.id)>
                                <dt>{format!("{} ({})", metric.long_name, metric.name)}</dt>
                                <dd>
                                    <code>{metric.formula}</code>
                                    <p>{metric.words}</p>
                                    {(!metric.elsewhere.is_empty()).then(|| view! { <p class="muted">{metric.elsewhere}</p> })}
                                </dd>
                            </div>
                        }
                    })
                    .collect_view()}
            </dl>
        </section>
    }
    .into_any()
}
