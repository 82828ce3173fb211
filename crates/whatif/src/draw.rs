//! What is known, as markup: cards with the figures at the chosen point, what is to be said of them, and the curves.

use std::fmt::Write as _;

use dyno_charts::drawing::{Axis, Drawing, MarkerShape, NARROW, Size, WIDE, error_bars, line, markers};
use dyno_charts::labels::Labels;
use dyno_charts::markup::{escaped, svg};
use dyno_charts::scale::{ScaleKind, nice_log_bounds, nice_top, wants_log};
use dyno_measure::report::throughput_range;
use dyno_measure::words::{bytes, capital, count, figure, grouped, serving_memory};
use dyno_simulate::SimulationError;
use dyno_simulate::outcome::PredictedDistribution;
use dyno_simulate::profile::ErrorBar;
use dyno_simulate::scenario::Simulation;
use dyno_simulate::step::Bound;

use crate::ask::{DEGREES, InvalidSlider, WhatIfQuestion};
use crate::curve::{LayoutCurve, WhatIfPoint};
use crate::subject::WhatIfSubject;

/// A latency that curves are drawn over.
struct LatencyAxis {
    id: &'static str,
    name: &'static str,
    of: fn(&WhatIfPoint) -> Option<f64>,
    error: fn(&ErrorBar) -> Option<f64>,
}

const LATENCIES: [LatencyAxis; 3] = [
    LatencyAxis { id: "ttft", name: "TTFT", of: |point| Some(point.ttft), error: |bar| bar.ttft },
    LatencyAxis { id: "tpot", name: "TPOT", of: |point| point.tpot, error: |bar| bar.tpot },
    LatencyAxis { id: "e2el", name: "E2E latency", of: |point| Some(point.e2el), error: |bar| bar.e2el },
];

pub(crate) fn invalid(error: &InvalidSlider) -> String {
    format!("<p class=\"field-error\">{}</p>", escaped(&error.to_string()))
}

pub(crate) fn result(
    subject: &WhatIfSubject,
    question: &WhatIfQuestion,
    chosen: &Result<Simulation, SimulationError>,
    curves: &[LayoutCurve],
) -> String {
    let mut markup = String::new();
    match chosen {
        Ok(simulation) => figures(&mut markup, subject, question, simulation),
        Err(error) => {
            let why = match error {
                SimulationError::DoesNotFit(memory) => {
                    format!("{} {} are missing on each device.", memory.shortage(), bytes(memory.missing() as u64))
                }
                other => format!("Can't be simulated: {other}."),
            };
            let _ = write!(markup, "<p class=\"what-if-refused\">{}</p>", escaped(&why));
            paragraph(&mut markup, "small", &point_words(subject, question));
        }
    }
    let _ = write!(markup, "<div class=\"chart-panels\">");
    for latency in &LATENCIES {
        markup += &chart(subject, question, latency, curves).unwrap_or_default();
    }
    markup + "</div>"
}

fn paragraph(markup: &mut String, class: &str, text: &str) {
    // Writing to a string does not fail.
    let _ = write!(markup, "<p class=\"{class}\">{}</p>", escaped(text));
}

/// "64 requests in flight, 1,024 tokens in and 128 out, on 8 devices: 2 replicas, each on 4 devices."
fn point_words(subject: &WhatIfSubject, question: &WhatIfQuestion) -> String {
    let WhatIfQuestion { concurrency, input, output, devices, tensor_parallel } = *question;
    let replicas = question.replicas();
    let idle = match devices - replicas * tensor_parallel {
        0 => String::new(),
        idle => format!("; {} idle", count(idle.into(), "device")),
    };
    let each = if replicas == 1 { "on" } else { "each on" };
    let over = subject.model.context.filter(|&context| input.saturating_add(output) > context);
    let over =
        over.map(|context| format!(" A request is longer than the model's context of {} tokens.", grouped(context.into())));
    format!(
        "{} in flight, {} in and {} out, on {}: {}, {each} {}{idle}.{}",
        count(concurrency.into(), "request"),
        count(input.into(), "token"),
        grouped(output.into()),
        count(devices.into(), "device"),
        count(replicas.into(), "replica"),
        count(tensor_parallel.into(), "device"),
        over.unwrap_or_default(),
    )
}

fn figures(markup: &mut String, subject: &WhatIfSubject, question: &WhatIfQuestion, simulation: &Simulation) {
    let outcome = &simulation.outcome;
    let errors = &simulation.prediction.error_pct;
    let basis = if simulation.prediction.error_basis == dyno_simulate::profile::ErrorBasis::Assumed { ", assumed" } else { "" };
    *markup += "<div class=\"headline\">";
    let distributions = [outcome.ttft_ms, outcome.tpot_ms, outcome.e2el_ms];
    for (latency, found) in LATENCIES.iter().zip(distributions) {
        let title = format!("{}, mean", latency.name);
        match found {
            Some(PredictedDistribution { mean, p50, p99, .. }) => {
                let error = (latency.error)(errors);
                let range = error.map(|error| {
                    let (low, high) = (mean * (1.0 - error / 100.0).max(0.0), mean * (1.0 + error / 100.0));
                    format!("{} to {} ms (±{error:.0} %{basis})", figure(low), figure(high))
                });
                let more = format!("p50 {} ms; p99 {} ms", figure(p50), figure(p99));
                card(markup, &title, mean, "ms", range, &more);
            }
            None => {
                let _ = write!(markup, "<div><h3>{title}</h3><p class=\"muted\">a single output token</p></div>");
            }
        }
    }
    let range = errors.e2el.map(|error| {
        let (low, high) = throughput_range(outcome.output_throughput, error);
        format!("{} to {} tokens/s", figure(low), figure(high))
    });
    let serving = f64::from(question.replicas() * question.tensor_parallel);
    let more = format!("{} tokens/s per device", figure(outcome.output_throughput / serving));
    card(markup, "Output tokens/s", outcome.output_throughput, "tokens/s", range, &more);
    *markup += "</div>";

    let memory = &outcome.memory;
    let bound = match outcome.bound {
        Bound::Compute => "arithmetic",
        Bound::Bandwidth => "memory bandwidth",
        Bound::Communication => "communication between devices",
        Bound::Overhead => "the engine's overhead",
    };
    let requests = subject.requests(question.concurrency, question.input);
    let words = point_words(subject, question);
    paragraph(markup, "small", &format!("{words} {} simulated; bound by {bound}.", count(requests.into(), "request")));
    let parts = [memory.usable, memory.weights, memory.reserve, memory.kv_cache];
    let fits = serving_memory(parts, memory.kv_tokens, memory.concurrent_requests, "this length");
    paragraph(markup, "small", &format!("Fits: {fits}"));
    for note in &simulation.notes {
        paragraph(markup, "small", &format!("{}.", capital(&note.to_string())));
    }
}

fn card(markup: &mut String, title: &str, value: f64, unit: &str, range: Option<String>, more: &str) {
    let _ = write!(
        markup,
        "<div><h3>{title}</h3><p class=\"headline-value\">≈ {} <span class=\"figure-unit\">{unit}</span></p>",
        figure(value)
    );
    if let Some(range) = range {
        paragraph(markup, "small", &range);
    }
    paragraph(markup, "muted small", more);
    *markup += "</div>";
}

/// How a layout's curve is drawn, by its degree's place: the same whichever is chosen.
fn look(degree: u32) -> (MarkerShape, &'static str, &'static str) {
    match DEGREES.iter().position(|&offered| offered == degree) {
        Some(1) => (MarkerShape::Square, "chart-line chart-s2", "chart-square chart-s2"),
        Some(2) => (MarkerShape::Triangle, "chart-line chart-s3", "chart-triangle chart-s3"),
        Some(3) => (MarkerShape::Diamond, "chart-line chart-s4", "chart-diamond chart-s4"),
        _ => (MarkerShape::Circle, "chart-line chart-s1", "chart-dot chart-s1"),
    }
}

/// A curve's point as it is drawn.
#[derive(Clone, Copy)]
struct CurvePlace {
    concurrency: u32,
    latency: f64,
    per_device: f64,
}

struct DrawnCurve {
    degree: u32,
    places: Vec<CurvePlace>,
}

fn chart(subject: &WhatIfSubject, question: &WhatIfQuestion, latency: &LatencyAxis, curves: &[LayoutCurve]) -> Option<String> {
    let drawn: Vec<DrawnCurve> = curves
        .iter()
        .map(|curve| {
            let layout = WhatIfQuestion { tensor_parallel: curve.tensor_parallel, ..*question };
            let serving = f64::from(layout.replicas() * layout.tensor_parallel);
            let place = |point: &WhatIfPoint| {
                let (concurrency, per_device) = (point.concurrency, point.throughput / serving);
                Some(CurvePlace { concurrency, latency: (latency.of)(point)?, per_device })
            };
            DrawnCurve { degree: curve.tensor_parallel, places: curve.points.iter().filter_map(place).collect() }
        })
        .filter(|drawn| !drawn.places.is_empty())
        .collect();
    if drawn.is_empty() {
        return None;
    }
    let own = drawn.iter().find(|drawn| drawn.degree == question.tensor_parallel);
    let chosen = own.and_then(|own| own.places.iter().find(|place| place.concurrency == question.concurrency)).copied();
    let errors = subject.prediction.error_pct;
    let x_range = chosen.zip((latency.error)(&errors)).map(|(at, error)| {
        let share = error / 100.0;
        (at.latency * (1.0 - share).max(0.05), at.latency * (1.0 + share))
    });
    let y_range = chosen.zip(errors.e2el).map(|(at, error)| throughput_range(at.per_device, error));

    let latencies = || drawn.iter().flat_map(|drawn| &drawn.places).map(|place| place.latency);
    let highest = latencies().chain(x_range.map(|range| range.1)).fold(f64::MIN, f64::max);
    let least = latencies().chain(x_range.map(|range| range.0)).fold(f64::MAX, f64::min);
    let log = wants_log(least, highest);
    let (kind, domain) = if log {
        (ScaleKind::Log, nice_log_bounds(least, highest))
    } else {
        (ScaleKind::Linear, (0.0, nice_top(highest * 1.02)))
    };
    let x_title = format!("{}, mean, ms{}", latency.name, if log { " (log scale)" } else { "" });
    let x = Axis { kind, domain, title: x_title };
    let per_device = drawn.iter().flat_map(|drawn| &drawn.places).map(|place| place.per_device);
    let top = per_device.chain(y_range.map(|range| range.1)).fold(0.0, f64::max);
    let y = Axis { kind: ScaleKind::Linear, domain: (0.0, nice_top(top * 1.05)), title: "Output tokens/s per device".to_owned() };
    let at_chosen = ChosenPoint { question, place: chosen, x_range, y_range };
    let drawings = [WIDE, NARROW].map(|size| draw(size, &x, &y, &drawn, &at_chosen));

    let id = format!("what-if-{}", latency.id);
    let title = format!("Throughput over {}", latency.name);
    let desc = describe(latency, &drawn, &at_chosen);
    let mut markup = format!("<figure class=\"chart\" id=\"{id}\"><figcaption>{title}</figcaption>");
    for drawing in &drawings {
        let plot = drawing.plot?;
        let at: Vec<f64> = drawn.iter().flat_map(|drawn| &drawn.places).map(|place| plot.x.at(place.latency)).collect();
        markup += &svg(&id, &title, &desc, drawing, &at);
    }
    key(&mut markup, question, &drawn, &at_chosen);
    table(&mut markup, latency, &title, question, &drawn);
    Some(markup + "</figure>")
}

/// The point at the sliders' values, and how far off it may be.
struct ChosenPoint<'a> {
    question: &'a WhatIfQuestion,
    place: Option<CurvePlace>,
    x_range: Option<(f64, f64)>,
    y_range: Option<(f64, f64)>,
}

fn draw(size: Size, x: &Axis, y: &Axis, drawn: &[DrawnCurve], chosen: &ChosenPoint<'_>) -> Drawing {
    let (mut drawing, plot) = Drawing::with_axes(size, x, y, 0.0);
    let at = |place: &CurvePlace| (plot.x.at(place.latency), plot.y.at(place.per_device));
    let mut labels = Labels::on(size, &plot);
    // The chosen layout lies on top.
    let mut order: Vec<&DrawnCurve> = drawn.iter().collect();
    order.sort_by_key(|drawn| drawn.degree == chosen.question.tensor_parallel);
    for drawn in &order {
        let (shape, line_class, mark_class) = look(drawn.degree);
        drawing.path(line(&plot, drawn.places.iter().map(|place| (place.latency, place.per_device))), line_class);
        drawing.path(markers(shape, 4.0, drawn.places.iter().map(at)), mark_class);
        for (x, y) in drawn.places.iter().map(at) {
            labels.keep_clear(x, y, 5.0);
        }
        labels.keep_clear_of_line(&drawn.places.iter().map(at).collect::<Vec<_>>());
    }
    let Some(place) = chosen.place else { return drawing };
    let (x, y) = at(&place);
    let mut bars = String::new();
    if let Some((low, high)) = chosen.x_range {
        let (low, high) = (plot.x.at(low), plot.x.at(high));
        let _ = write!(bars, "M{low:.1} {y:.1}H{high:.1}M{low:.1} {:.1}v8M{high:.1} {:.1}v8", y - 4.0, y - 4.0);
        labels.keep_clear_of_line(&[(low, y), (high, y)]);
    }
    if let Some((low, high)) = chosen.y_range {
        let (low, high) = (plot.y.at(low), plot.y.at(high));
        bars += &error_bars([(x, low, high)]);
        labels.keep_clear_of_line(&[(x, low), (x, high)]);
    }
    drawing.path(bars, "chart-error");
    drawing.path(markers(MarkerShape::Star, 7.0, [(x, y)]), "chart-star");
    // The chosen one has the first choice of places, then its own layout's others.
    let own = order.last().map(|own| own.places.as_slice()).unwrap_or_default();
    let others = own.iter().filter(|other| other.concurrency != place.concurrency);
    for labelled in std::iter::once(&place).chain(others) {
        let word = grouped(labelled.concurrency.into());
        if let Some((x, y, anchor)) = labels.place(at(labelled), &word) {
            drawing.text(x, y, anchor, "chart-rule-name", word);
        }
    }
    drawing
}

fn describe(latency: &LatencyAxis, drawn: &[DrawnCurve], chosen: &ChosenPoint<'_>) -> String {
    let mut desc = format!(
        "Simulated output tokens per second and device over the mean {}, a curve for each layout: {}.",
        latency.name,
        drawn.iter().map(|drawn| layout_words(chosen.question, drawn.degree)).collect::<Vec<_>>().join("; ")
    );
    if let Some(CurvePlace { concurrency, latency: at, per_device }) = chosen.place {
        let _ = write!(desc, " Chosen: {concurrency} in flight, {} ms, {} tokens/s per device.", figure(at), figure(per_device));
    }
    desc
}

/// "2 replicas on 4 devices each".
fn layout_words(question: &WhatIfQuestion, degree: u32) -> String {
    let replicas = WhatIfQuestion { tensor_parallel: degree, ..*question }.replicas();
    let each = if replicas == 1 { "" } else { " each" };
    format!("{} on {}{each}", count(replicas.into(), "replica"), count(degree.into(), "device"))
}

fn key(markup: &mut String, question: &WhatIfQuestion, drawn: &[DrawnCurve], chosen: &ChosenPoint<'_>) {
    let entry = |markup: &mut String, class: &str, d: &str, text: &str| {
        let _ = write!(
            markup,
            "<li><svg width=\"24\" height=\"16\" viewBox=\"0 0 24 16\" aria-hidden=\"true\"><path class=\"{class}\" d=\"{d}\"></path></svg>{text}</li>"
        );
    };
    *markup += "<ul class=\"chart-key\">";
    for DrawnCurve { degree, .. } in drawn {
        let (shape, _, class) = look(*degree);
        let own = if *degree == question.tensor_parallel { ", marked by the requests in flight" } else { "" };
        let text = format!("{}{own}", layout_words(question, *degree));
        entry(markup, class, &markers(shape, 4.0, [(12.0, 8.0)]), &text);
    }
    if chosen.place.is_some() {
        entry(markup, "chart-star", &markers(MarkerShape::Star, 7.0, [(12.0, 8.0)]), "chosen");
        if chosen.x_range.is_some() {
            entry(markup, "chart-error", "M2 8H22M2 4v8M22 4v8", "expected error");
        }
    }
    *markup += "</ul>";
}

fn table(markup: &mut String, latency: &LatencyAxis, title: &str, question: &WhatIfQuestion, drawn: &[DrawnCurve]) {
    let _ = write!(
        markup,
        "<details class=\"chart-data\"><summary>Figures as a table</summary><div class=\"chart-scroll\" tabindex=\"0\"><table class=\"figures\">\
         <caption>{title}, simulated</caption><thead><tr><th scope=\"col\">Layout</th><th scope=\"col\">In flight</th>\
         <th scope=\"col\">{}, mean, ms</th><th scope=\"col\">Output tokens/s per device</th></tr></thead><tbody>",
        latency.name
    );
    for DrawnCurve { degree, places } in drawn {
        for place in places {
            let _ = write!(
                markup,
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                layout_words(question, *degree),
                grouped(place.concurrency.into()),
                figure(place.latency),
                figure(place.per_device)
            );
        }
    }
    *markup += "</tbody></table></div></details>";
}

#[cfg(test)]
mod tests {
    use dyno_simulate::Engine;

    use crate::WhatIfExplorer;
    use crate::subject::tests::subject;

    fn drawn(values: [f64; 5]) -> String {
        WhatIfExplorer::new(subject("meta-llama/Llama-3.1-8B", "H100", Engine::Vllm)).answer(values)
    }

    #[test]
    fn figures_have_their_error_and_the_point_its_words() {
        let markup = drawn([16.0, 512.0, 128.0, 8.0, 2.0]);
        for words in [
            "16 requests in flight, 512 tokens in and 128 out, on 8 devices: 4 replicas, each on 2 devices.",
            "100 requests simulated; bound by ",
            "(±80 %, assumed)",
            "(±50 %, assumed)",
            "<caption>Throughput over TTFT, simulated</caption>",
            "4 replicas on 2 devices each, marked by the requests in flight",
            "Fits: of ",
            " Chosen: 16 in flight, ",
        ] {
            assert!(markup.contains(words), "{words:?} in {markup}");
        }
        // Each of three charts at two sizes, with the error bars of the chosen point.
        assert_eq!((markup.matches("<svg class=\"chart-").count(), markup.matches("class=\"chart-error\" d=").count()), (6, 9));
    }

    #[test]
    fn idle_devices_a_single_token_and_a_short_context_are_said() {
        let markup = drawn([4.0, 512.0, 1.0, 7.0, 4.0]);
        assert!(markup.contains("1 replica, on 4 devices; 3 devices idle."), "{markup}");
        assert!(markup.contains("a single output token") && !markup.contains("what-if-tpot"));
        let mut short = subject("meta-llama/Llama-3.1-8B", "H100", Engine::Vllm);
        short.model.context = Some(8192);
        let markup = WhatIfExplorer::new(short).answer([4.0, 8192.0, 2.0, 1.0, 1.0]);
        assert!(markup.contains("longer than the model's context of 8,192 tokens"), "{markup}");
    }
}
