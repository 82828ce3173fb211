//! Lengths asked for beside those that were sent and received, and what the engine had in its cache.

use leptos::prelude::*;

use super::section::Section;
use crate::components::number::{figure, grouped, percent};
use crate::components::table::{Column, DataTable};
use dyno_measure::report::{Distribution, Report};

/// The lengths of one load point; nothing where none is known.
#[component]
pub fn LengthsSection(report: Report, point: usize) -> impl IntoView {
    let summary = report.load_points.into_iter().nth(point).map_or(report.summary, |point| point.summary);
    let lengths = summary.lengths.unwrap_or_default();
    let rows: Vec<(&'static str, Distribution)> = [
        ("Input, asked for", lengths.requested_input),
        ("Input, as the engine counted", lengths.input),
        ("Output, at most", lengths.requested_output),
        ("Output, received", lengths.output),
    ]
    .into_iter()
    .filter_map(|(name, found)| Some((name, found?)))
    .collect();
    if rows.is_empty() {
        return ().into_any();
    }
    let cached = match summary.cached_tokens.zip(summary.total_input_tokens) {
        Some((cached, input)) => format!(
            "{} of {} input tokens ({}) came out of the engine's prefix cache.",
            grouped(cached),
            grouped(input),
            percent(cached as f64 / input.max(1) as f64)
        ),
        None => "The engine does not say how much of the input came out of its prefix cache.".to_owned(),
    };
    let columns = vec![
        Column::text("Tokens a request"),
        Column::figures("Mean"),
        Column::figures("Least"),
        Column::figures("p50"),
        Column::figures("Largest"),
        Column::figures("Requests"),
    ];
    let cell = |label: &'static str, text: String| view! { <td class="numeric" data-label=label>{text}</td> };
    view! {
        <Section id="lengths" title="Lengths">
            <DataTable caption="Lengths in tokens, of the successful requests" columns=columns blocks=true>
                {rows
                    .into_iter()
                    .map(|(name, found)| {
                        view! {
                            <tr>
                                <th scope="row">{name}</th>
                                {cell("Mean", figure(found.mean))}
                                {cell("Least", figure(found.min))}
                                {cell("p50", figure(found.p50))}
                                {cell("Largest", figure(found.max))}
                                {cell("Requests", grouped(found.n))}
                            </tr>
                        }
                    })
                    .collect_view()}
            </DataTable>
            <p class="muted small">{cached}</p>
        </Section>
    }
    .into_any()
}
