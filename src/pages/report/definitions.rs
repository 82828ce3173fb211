//! What each figure means, in full, at the end of the report; names open the same beside them.

use leptos::prelude::*;

use crate::components::metric::MetricTips;
use crate::domain::metrics::METRICS;

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
            <MetricTips in_full="" />
        </section>
    }
    .into_any()
}
