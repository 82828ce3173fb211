//! Everything over the run's time: one time axis for latencies, load, and what the engine said of itself.

use leptos::prelude::*;

use super::chart_files::files;
use super::section::Section;
use super::telemetry::TelemetryPanel;
use crate::components::charts::engine::panels;
use crate::components::charts::over_time::{RunTime, latency, level};
use crate::components::charts::{Chart, ChartFigure, telemetry};
use crate::components::number::grouped;
use dyno_measure::engine_metrics::{EngineQuantity, EngineSeries};
use dyno_measure::metrics::{DRAWN, metric};
use dyno_measure::report::{LoadPointSeries, Report, Summary};

/// The charts over time of one load point.
#[component]
pub fn OverTime(report: Report, point: usize) -> impl IntoView {
    let (charts, engine) = (own(&report, point), engines(&report, point));
    let preempted = preemptions(&report.engine_metrics);
    let (run, summary) = (report.run_id, summary_of(&report, point).clone());
    let nodes = telemetry::panels(&summary.telemetry, &time_of(&report, point));
    let files = files(report.run_id, point);
    let files_of_nodes = files.clone();
    let figure = move |chart: Chart| view! { <ChartFigure chart=chart files=files.clone() /> };
    let said = (!engine.is_empty()).then(|| {
        view! {
            <section class="panel stack" aria-labelledby="engine-title">
                <h3 id="engine-title">"What the engine says of itself"</h3>
                <div class="chart-panels">{engine.into_iter().map(figure.clone()).collect_view()}</div>
                {preempted
                    .map(|sentence| view! { <p class="small">{sentence}</p> })}
            </section>
        }
    });
    (!charts.is_empty())
        .then(|| {
            view! {
                <Section id="time" title="Over the run's time">
                    <div class="panel chart-panels">
                        {charts.into_iter().map(figure.clone()).collect_view()}
                    </div>
                    {said}
                    <TelemetryPanel run=run summary=summary charts=nodes files=files_of_nodes />
                </Section>
            }
        })
        .into_any()
}

/// All charts over a load point's time.
pub fn charts(report: &Report, point: usize) -> Vec<Chart> {
    let nodes = telemetry::panels(&summary_of(report, point).telemetry, &time_of(report, point));
    own(report, point).into_iter().chain(engines(report, point)).chain(nodes).collect()
}

fn summary_of(report: &Report, point: usize) -> &Summary {
    report.load_points.get(point).map_or(&report.summary, |point| &point.summary)
}

/// A load point's time, as its charts share it.
fn time_of(report: &Report, point: usize) -> RunTime {
    let steady = summary_of(report, point).steady_state.as_ref().map(|steady| (steady.begin_s, steady.end_s));
    report
        .series
        .get(point)
        .map_or_else(|| RunTime::of(&LoadPointSeries::default(), steady), |series| RunTime::of(series, steady))
}

/// What the client measured.
fn own(report: &Report, point: usize) -> Vec<Chart> {
    let (Some(series), time) = (report.series.get(point), time_of(report, point)) else { return Vec::new() };
    let latencies = DRAWN.into_iter().filter_map(|id| {
        let (metric, drawn) = (metric(id)?, series.metrics.iter().find(|drawn| drawn.metric == id)?);
        latency(&format!("{id}-time"), metric.name, metric.unit, &drawn.over_time, &series.failures_s, &time)
    });
    let levels = [
        level("in-flight", "Requests in flight", "Requests", &series.in_flight, &time),
        level("tokens-per-s", "Output tokens per second", "Tokens/s", &series.tokens_per_s, &time),
    ];
    latencies.chain(levels.into_iter().flatten()).collect()
}

/// What the engines said meanwhile.
fn engines(report: &Report, point: usize) -> Vec<Chart> {
    let origin = report.series.get(point).and_then(|series| series.origin_unix_ns);
    origin.map(|origin| panels(&report.engine_metrics, origin, &time_of(report, point))).unwrap_or_default()
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
