//! Everything over the run's time: one time axis for latencies, load, and what the engine said of itself.

use leptos::prelude::*;

use crate::components::charts::engine::panels;
use crate::components::charts::over_time::{RunTime, latency, level};
use crate::components::charts::{Chart, ChartFigure};
use crate::components::number::grouped;
use crate::domain::engine_metrics::{EngineQuantity, EngineSeries};
use crate::domain::metrics::{DRAWN, metric};
use crate::domain::report::{LoadPointSeries, Report};

/// The charts over time of one load point.
#[component]
pub fn OverTime(
    /// The report.
    report: Report,
    /// Which load point.
    point: usize,
) -> impl IntoView {
    let series = report.series.get(point).cloned().unwrap_or_default();
    let summary = report.load_points.get(point).map_or(&report.summary, |point| &point.summary);
    let steady = summary.steady_state.as_ref().map(|steady| (steady.begin_s, steady.end_s));
    let time = RunTime::of(&series, steady);
    let charts = own(&series, &time);
    let engine = series.origin_unix_ns.map(|origin| panels(&report.engine_metrics, origin, &time)).unwrap_or_default();
    let preempted = preemptions(&report.engine_metrics);
    let said = (!engine.is_empty()).then(|| {
        view! {
            <section class="panel stack" aria-labelledby="engine-title">
                <h3 id="engine-title">"What the engine says of itself"</h3>
                <div class="chart-panels">{engine.into_iter().map(|chart| view! { <ChartFigure chart=chart /> }).collect_view()}</div>
                {preempted
                    .map(|sentence| view! { <p class="small">{sentence}</p> })}
            </section>
        }
    });
    (!charts.is_empty())
        .then(|| {
            view! {
                <section id="time" class="stack" aria-labelledby="time-title">
                    <h2 id="time-title">"Over the run's time"</h2>
                    <div class="panel chart-panels">
                        {charts.into_iter().map(|chart| view! { <ChartFigure chart=chart /> }).collect_view()}
                    </div>
                    {said}
                </section>
            }
        })
        .into_any()
}

/// What the client measured.
fn own(series: &LoadPointSeries, time: &RunTime) -> Vec<Chart> {
    let latencies = DRAWN.into_iter().filter_map(|id| {
        let (metric, drawn) = (metric(id)?, series.metrics.iter().find(|drawn| drawn.metric == id)?);
        latency(&format!("{id}-time"), metric.name, metric.unit, &drawn.over_time, &series.failures_s, time)
    });
    let levels = [
        level("in-flight", "Requests in flight", "Requests", &series.in_flight, time),
        level("tokens-per-s", "Output tokens per second", "Tokens/s", &series.tokens_per_s, time),
    ];
    latencies.chain(levels.into_iter().flatten()).collect()
}

/// How often requests were put back during the whole run, where an engine says so and it happened.
fn preemptions(series: &[EngineSeries]) -> Option<String> {
    let counted = series.iter().filter(|own| own.quantity == EngineQuantity::Preemptions);
    let grown = counted.filter_map(|own| Some((own.values.last()? - own.values.first()?).max(0.0)));
    let all: f64 = grown.sum();
    (all >= 1.0)
        .then(|| format!("Over the whole run the engine put requests back {} times for want of memory.", grouped(all as u64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preemptions_are_told_when_there_were_any() {
        let of = |values: &[f64]| EngineSeries {
            node: "n".to_owned(),
            quantity: EngineQuantity::Preemptions,
            source: "x".to_owned(),
            at_unix_ns: vec![0; values.len()],
            values: values.to_vec(),
        };
        assert_eq!(preemptions(&[of(&[4.0, 4.0])]), None);
        assert!(preemptions(&[of(&[4.0, 6.0]), of(&[0.0, 1.0])]).unwrap().contains(" 3 times"));
        assert_eq!(preemptions(&[]), None);
    }
}
