//! What the simulator had expected of a measured run, beside what was measured.

use leptos::prelude::*;

use super::section::Section;
use crate::components::number::figure;
use crate::components::table::{Column, DataTable};
use dyno_measure::load::OfferedLoad;
use dyno_measure::report::{Compared, LoadPoint, Report};

/// A signed error of a prediction: `+12 %`.
pub fn error_words(error_pct: f64) -> String {
    format!("{error_pct:+.1} %")
}

/// A metric's name and unit, as tables have it.
pub fn metric_title(id: &str) -> String {
    match id {
        "ttft_ms" => "TTFT, ms".to_owned(),
        "tpot_ms" => "TPOT, ms".to_owned(),
        "e2el_ms" => "E2E latency, ms".to_owned(),
        "output_throughput" => "Output tokens/s".to_owned(),
        other => other.to_owned(),
    }
}

/// The section; nothing where nothing was predicted.
#[component]
pub fn PredictedSection(report: Report) -> impl IntoView {
    let Report { predicted, load_points, .. } = report;
    let Some(predicted) = predicted.filter(|predicted| !predicted.load_points.is_empty()) else { return ().into_any() };
    let basis = match predicted.basis.error_words() {
        Some(error) => format!("{}; {error}.", predicted.basis.standing_words()),
        None => format!("{}.", predicted.basis.standing_words()),
    };
    let columns = vec![
        Column::text("Load"),
        Column::text("Mean"),
        Column::figures("Predicted"),
        Column::figures("Measured"),
        Column::figures("Error"),
    ];
    let rows: Vec<AnyView> = predicted
        .load_points
        .iter()
        .flat_map(|point| {
            let offered = load_points.get(point.load_point).and_then(LoadPoint::offered);
            let load = offered.map_or_else(|| "trace".to_owned(), OfferedLoad::words);
            let compared = point.figures().into_iter().filter_map(|(id, compared)| Some((id, compared?)));
            compared.map(move |(id, compared)| row(&load, id, compared)).collect::<Vec<_>>()
        })
        .collect();
    let notes = predicted.notes.iter().map(|note| view! { <li>{note.clone()}</li> }).collect_view();
    view! {
        <Section id="predicted" title="Predicted and measured">
            <p class="hint">
                "What the simulator expected, before it had learnt from this run. "{basis}" "
                <a href="/clusters/predictions">"All predicted runs"</a>
            </p>
            <DataTable caption="Means, predicted and measured" caption_hidden=true columns=columns blocks=true>
                {rows}
            </DataTable>
            {(!predicted.notes.is_empty()).then(|| view! { <ul class="muted small">{notes}</ul> })}
        </Section>
    }
    .into_any()
}

fn row(load: &str, id: &'static str, compared: Compared) -> AnyView {
    view! {
        <tr>
            <th scope="row">{load.to_owned()}</th>
            <td data-label="Mean">{metric_title(id)}</td>
            <td class="numeric" data-label="Predicted">{figure(compared.predicted)}</td>
            <td class="numeric" data-label="Measured">{figure(compared.measured)}</td>
            <td class="numeric" data-label="Error">{error_words(compared.error_pct)}</td>
        </tr>
    }
    .into_any()
}
