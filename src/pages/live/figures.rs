//! Progress, counters and charts of a run that goes on, and its figures once it is over.

use leptos::prelude::*;

use crate::components::charts::ChartFigure;
use crate::components::charts::live::{Begin, Line, over_time, thinned};
use crate::components::number::{few_samples, figure, grouped, of_kind};
use crate::domain::live::{LivePoint, LiveRun, RunFigures};
use crate::domain::live_status::{ended_sentence, load_point, sentence};
use dyno_measure::events::Progress;
use dyno_measure::live_figures::{Latencies, Percentiles};
use dyno_measure::report::Phase;
use dyno_measure::run::{RunKind, RunStatus};
use dyno_measure::statistics::bounds::floor;
use dyno_measure::words;

/// Points of a line.
const LINE: usize = 240;

/// What the load has done so far: how far it is, and the counters; of a run that is over, what load that was and its figures.
pub fn progress(live: &LiveRun, is_search: bool) -> AnyView {
    let status = live.run.status;
    let figures = live.report.as_deref().filter(|_| status.is_end()).map(RunFigures::from);
    let Some(progress) = live.progress.clone() else {
        // A simulation has no load under way: only what it came to.
        if let Some(figures) = figures {
            return of_the_run(&figures, live.run.kind);
        }
        let text = if status.is_end() {
            "No load was put on the model."
        } else {
            "No load yet. Figures come with the stage that runs the benchmark."
        };
        return view! { <p class="muted">{text}</p> }.into_any();
    };
    if !status.is_end() {
        let counters = counters(of_the_moment(&progress));
        return view! { <Bar progress status /> {counters} }.into_any();
    }
    let counters = if let Some(figures) = figures {
        of_the_run(&figures, live.run.kind)
    } else {
        let of_last = (progress.load_points > 1).then(|| view! { <p class="muted">"Of the last load point:"</p> });
        view! { {of_last} {counters(counts(progress.issued, progress.completed, progress.failed))} }.into_any()
    };
    view! {
        <p class="progress-text">{ended_sentence(&progress, is_search)}</p>
        {counters}
    }
    .into_any()
}

/// The figures over time, once there are some.
pub fn charts(live: &LiveRun) -> AnyView {
    if live.points.is_empty() {
        return ().into_any();
    }
    let points = thinned(&live.points, LINE);
    let begins = begins(&points, live.progress.as_ref());
    let ended = live.run.status.is_end();
    let words = match (ended, begins.len() > 1) {
        (false, false) => ("of the last 10 s", "of the run so far"),
        (false, true) => ("of the last 10 s", "of the load point so far"),
        (true, false) => ("over 10 s", "since the load began"),
        (true, true) => ("over 10 s", "since the load point began"),
    };
    let plain = |id: &str, title: &str, unit: &str, value: fn(&LivePoint) -> Option<f64>| {
        let points = points.iter().map(|point| (point.at_s, value(point))).collect();
        let class = "chart-line chart-s1";
        let line = Line { name: "Mean over a second".to_owned(), class, points, absent: "not yet".to_owned() };
        view! { <ChartFigure chart=over_time(id, title, unit, &[line], &begins) /> }
    };
    let latency = |id: &str, title: &str, of: fn(&Latencies) -> Percentiles| {
        let mut lines = percentile_lines(&points, words, of);
        let has_values = |line: &Line| line.points.iter().any(|(_, value)| value.is_some());
        if ended && lines.iter().any(has_values) {
            // no more samples will come
            lines.retain(has_values);
        }
        view! { <ChartFigure chart=over_time(id, title, "ms", &lines, &begins) /> }
    };
    view! {
        {plain("live-tokens", "Output tokens per second", "tokens/s", |point| point.output_tokens_per_s)}
        {plain("live-flight", "Requests in flight", "requests", |point| Some(point.in_flight))}
        {latency("live-ttft", "TTFT", |latencies| latencies.ttft_ms)}
        {latency("live-tpot", "TPOT", |latencies| latencies.tpot_ms)}
    }
    .into_any()
}

/// Where the load points of a sweep or search begin, each with its load.
fn begins(points: &[LivePoint], progress: Option<&Progress>) -> Vec<Begin> {
    let Some(progress) = progress.filter(|progress| progress.load_points > 1) else { return Vec::new() };
    let load = |number: u32| {
        let finished = progress.finished.get(number as usize).and_then(|finished| finished.load);
        let load = finished.or(progress.load.filter(|_| number == progress.load_point));
        load.map(|load| words::load(load.value())).unwrap_or_default()
    };
    let mut begins: Vec<(u32, f64)> = Vec::new();
    for point in points {
        if begins.last().is_none_or(|last| last.0 != point.load_point) {
            begins.push((point.load_point, point.at_s));
        }
    }
    begins.into_iter().map(|(number, at)| (at, load(number))).collect()
}

/// p50 and p99 of the last 10 seconds, and beside them those of all requests so far. Where the requests of ten seconds are too
/// few for p99, p90 is drawn beside it.
fn percentile_lines(points: &[LivePoint], (lately, so_far): (&str, &str), of: fn(&Latencies) -> Percentiles) -> Vec<Line> {
    let line = |name: String, class, percent: f64, value: &dyn Fn(&LivePoint) -> (u64, Option<f64>)| {
        let values: Vec<(f64, Option<f64>)> = points.iter().map(|point| (point.at_s, value(point).1)).collect();
        let samples = points.last().map_or(0, |point| value(point).0);
        let needed = floor(percent).unwrap_or_default();
        let absent = format!("{} of {} samples", grouped(samples), grouped(needed));
        Line { name, class, points: values, absent }
    };
    let recent = |point: &LivePoint| of(&point.recent);
    let all = |point: &LivePoint| of(&point.so_far);
    let mut lines = vec![
        line(format!("p50 {lately}"), "chart-line chart-s1", 50.0, &|point| (recent(point).n, recent(point).p50)),
        line(format!("p99 {lately}"), "chart-line chart-s3", 99.0, &|point| (recent(point).n, recent(point).p99)),
        line(format!("p50 {so_far}"), "chart-dashed chart-s1", 50.0, &|point| (all(point).n, all(point).p50)),
        line(format!("p99 {so_far}"), "chart-dashed chart-s3", 99.0, &|point| (all(point).n, all(point).p99)),
    ];
    if points.iter().all(|point| recent(point).p99.is_none()) && points.iter().any(|point| recent(point).p90.is_some()) {
        let p90 = line(format!("p90 {lately}"), "chart-line chart-s4", 90.0, &|point| (recent(point).n, recent(point).p90));
        lines.insert(1, p90);
    }
    lines
}

/// "640 of 1,280 requests, 2 minutes left"; without a known end there is no bar.
#[component]
fn Bar(progress: Progress, status: RunStatus) -> impl IntoView {
    let point = load_point(&progress).map(|text| view! { <p class="muted">{text}</p> });
    let text = sentence(&progress, status);
    let bar = progress.share().filter(|_| progress.phase != Some(Phase::Warmup)).map(|share| {
        // A fresh `<progress>` element needs its words as well: browsers read only the percentage of it.
        view! { <progress max="1" value=format!("{share:.4}") aria-valuetext=text.clone() aria-label="Requests"></progress> }
    });
    view! {
        <div class="stack-tight">
            {point}
            {bar}
            <p class="progress-text">{text}</p>
        </div>
    }
    .into_any()
}

/// A counter: its name, its value, and what is to be said of it.
type Counter = (&'static str, String, Option<String>);

fn counts(issued: u64, completed: u64, failed: u64) -> Vec<Counter> {
    [("Issued", issued), ("Completed", completed), ("Failed", failed)].map(|(name, number)| (name, grouped(number), None)).into()
}

fn of_the_moment(progress: &Progress) -> Vec<Counter> {
    let mean =
        |value: Option<f64>, unit: &str| value.map_or_else(|| "not yet".to_owned(), |value| format!("{}{unit}", figure(value)));
    let moment = || Some("over the last second".to_owned());
    let in_flight = progress.mean_in_flight.unwrap_or(progress.in_flight as f64);
    let mut counters = counts(progress.issued, progress.completed, progress.failed);
    counters.push(("In flight", mean(Some(in_flight), ""), moment()));
    counters.push(("Output", mean(progress.output_tokens_per_s, " tokens/s"), moment()));
    let point = LivePoint::from(progress);
    let recent = |percentiles: Percentiles| (median(percentiles), Some(format!("{}last 10 s", highest(percentiles))));
    let (value, more) = recent(point.recent.ttft_ms);
    counters.push(("TTFT, p50", value, more));
    let (value, more) = recent(point.recent.tpot_ms);
    counters.push(("TPOT, p50", value, more));
    counters
}

/// The figures of a run that is over, as its report has them.
fn of_the_run(figures: &RunFigures, kind: RunKind) -> AnyView {
    if let Some(reason) = figures.invalid_reasons.first() {
        return view! {
            {counters(counts(figures.issued, figures.completed, figures.failed))}
            <p class="small">{format!("The figures are not valid: {reason}")}</p>
        }
        .into_any();
    }
    let known = |value: Option<f64>, unit: &str| {
        value.map_or_else(|| "not measured".to_owned(), |value| of_kind(kind, format!("{}{unit}", figure(value))))
    };
    let p50 = |percentiles: Percentiles| match percentiles.p50 {
        Some(_) => of_kind(kind, median(percentiles)),
        None => median(percentiles),
    };
    let mean = || Some("mean of the run".to_owned());
    let Latencies { ttft_ms, tpot_ms } = figures.latencies;
    let of_all = |percentiles: Percentiles| Some(format!("{}all requests", highest(percentiles)));
    let mut all = counts(figures.issued, figures.completed, figures.failed);
    all.extend([
        ("In flight", known(figures.in_flight, ""), mean()),
        ("Output", known(figures.output_throughput, " tokens/s"), mean()),
        ("TTFT, p50", p50(ttft_ms), of_all(ttft_ms)),
        ("TPOT, p50", p50(tpot_ms), of_all(tpot_ms)),
    ]);
    let whose = match figures.best {
        Some(load) => format!("The figures of the load point with {}, which the report opens with:", load.words()),
        None => "The figures of the whole run:".to_owned(),
    };
    view! {
        <p class="muted">{whose}</p>
        {counters(all)}
    }
    .into_any()
}

fn median(percentiles: Percentiles) -> String {
    match (percentiles.p50, percentiles.n) {
        (Some(value), _) => format!("{} ms", figure(value)),
        (None, 0) => "not yet".to_owned(),
        (None, n) => few_samples(n, floor(50.0).unwrap_or_default()),
    }
}

/// `p99 350 ms, `: the highest percentile that the samples decide, over p50.
fn highest(percentiles: Percentiles) -> String {
    let known = [("p99", percentiles.p99), ("p90", percentiles.p90)];
    let highest = known.into_iter().find_map(|(name, value)| Some((name, value?)));
    highest.map(|(name, value)| format!("{name} {} ms, ", figure(value))).unwrap_or_default()
}

/// Counters change once a second; nobody wants them read out.
fn counters(entries: Vec<Counter>) -> AnyView {
    view! {
        <dl class="counters" aria-live="off">
            {entries
                .into_iter()
                .map(|(name, value, more)| {
                    view! {
                        <div>
                            <dt>{name}</dt>
                            <dd>{value} {more.map(|more| view! { <small>{more}</small> })}</dd>
                        </div>
                    }
                })
                .collect_view()}
        </dl>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(at_s: f64, n: u64) -> LivePoint {
        let percentiles =
            Percentiles { n, p50: (n >= 11).then_some(20.0), p90: (n >= 64).then_some(30.0), p99: (n >= 662).then_some(40.0) };
        let latencies = Latencies { ttft_ms: percentiles, tpot_ms: percentiles };
        LivePoint { at_s, load_point: 0, in_flight: 1.0, output_tokens_per_s: None, so_far: latencies, recent: latencies }
    }

    #[test]
    fn a_latency_chart_has_the_last_ten_seconds_beside_the_whole_run() {
        let names = |points: &[LivePoint]| {
            let lines = percentile_lines(points, ("of the last 10 s", "of the run so far"), |latencies| latencies.ttft_ms);
            lines.into_iter().map(|line| line.name).collect::<Vec<_>>()
        };
        let all = ["p50 of the last 10 s", "p99 of the last 10 s", "p50 of the run so far", "p99 of the run so far"];
        assert_eq!(names(&[point(1.0, 700)]), all);
        assert_eq!(names(&[point(1.0, 20)]), all);
        assert_eq!(names(&[point(1.0, 20), point(2.0, 70)])[1], "p90 of the last 10 s", "what the samples decide");
        let lines = percentile_lines(&[point(1.0, 87)], ("over 10 s", "since the load began"), |latencies| latencies.ttft_ms);
        assert_eq!(lines[2].absent, "87 of 662 samples");
    }

    #[test]
    fn counters_say_what_they_are_of() {
        let progress = Progress { in_flight: 0, mean_in_flight: Some(1.0), ..Progress::default() };
        let flight = &of_the_moment(&progress)[3];
        assert_eq!(*flight, ("In flight", "1.00".to_owned(), Some("over the last second".to_owned())));
        assert_eq!(highest(point(0.0, 100).so_far.ttft_ms), "p90 30.0 ms, ");
        assert_eq!(median(Percentiles { n: 4, ..Percentiles::default() }), "not enough samples (4 of 11)");
    }
}
