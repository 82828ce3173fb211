//! Requests that ended badly, by class, with examples.

use leptos::prelude::*;

use super::point::offered;
use super::section::Section;
use crate::components::number::{grouped, percent};
use crate::components::table::{Column, DataTable};
use dyno_measure::report::{ErrorClass, ErrorExample, Report};
use dyno_measure::words::join as join_words;

/// What a class means, for people.
pub fn meaning(class: &str) -> &'static str {
    match class {
        "connect" => "refused, or reset before an answer",
        "dns" => "the name did not resolve",
        "tls" => "the TLS handshake failed",
        "http_status" => "an HTTP status other than 2xx",
        "error_in_stream" => "an error object inside a 200 answer",
        "malformed_stream" => "the stream was not what the protocol says",
        "cut_off" => "the stream ended with neither a finish reason nor [DONE]",
        "stalled" => "no event for the stall time-out",
        "timeout" => "the whole request took too long",
        "no_content" => "ended well without one content event",
        "dropped" => "an arrival over the cap, never sent",
        _ => "",
    }
}

/// The name of a class as people read it.
pub fn class_name(class: ErrorClass) -> String {
    class.into_str().replace('_', " ")
}

/// The errors of a load point's measured requests; nothing when there were none.
#[component]
pub fn Errors(report: Report, point: usize) -> impl IntoView {
    let elsewhere = elsewhere(&report, point);
    let Report { summary, load_points, error_examples, .. } = report;
    let several = load_points.len() > 1;
    let own = load_points.into_iter().nth(point);
    let title = match &own {
        Some(own) if several => format!("Errors at {}", offered(own)),
        Some(_) | None => "Errors".to_owned(),
    };
    let summary = own.map_or(summary, |point| point.summary);
    if summary.errors.is_empty() {
        return elsewhere.map(|sentence| view! { <p class="small">{sentence}</p> }).into_any();
    }
    let total = summary.total_requests.max(1) as f64;
    let rows = summary
        .errors
        .into_iter()
        .map(|(class, number)| {
            let examples: Vec<ErrorExample> = error_examples
                .iter()
                .filter(|example| example.class.into_str() == class && example.load_point as usize == point)
                .cloned()
                .collect();
            view! {
                <tr>
                    <th scope="row">{class.replace('_', " ")}</th>
                    <td data-label="Meaning">{meaning(&class)}</td>
                    <td class="numeric" data-label="Requests">{grouped(number)}</td>
                    <td class="numeric" data-label="Share">{percent(number as f64 / total)}</td>
                    <td data-label="Examples">
                        <ul class="examples">{examples.into_iter().map(example).collect_view()}</ul>
                    </td>
                </tr>
            }
        })
        .collect_view();
    let columns = vec![
        Column::text("Class"),
        Column::text("Meaning"),
        Column::figures("Requests"),
        Column::figures("Share"),
        Column::text("Examples"),
    ];
    view! {
        <Section id="errors" title=title>
            <DataTable caption="Failed requests by class" columns=columns blocks=true>
                {rows}
            </DataTable>
            {elsewhere.map(|sentence| view! { <p class="small">{sentence}</p> })}
        </Section>
    }
    .into_any()
}

/// "Requests that failed at other loads: 3 at 16 in flight."; nothing where none did.
fn elsewhere(report: &Report, point: usize) -> Option<String> {
    let failed: Vec<String> = report
        .load_points
        .iter()
        .enumerate()
        .filter(|(index, load)| *index != point && !load.summary.errors.is_empty())
        .map(|(_, load)| format!("{} at {}", grouped(load.summary.errors.values().sum()), offered(load)))
        .collect();
    (!failed.is_empty()).then(|| format!("Requests that failed at other loads: {}.", join_words(&failed)))
}

fn example(example: ErrorExample) -> impl IntoView {
    let status = example.http_status.map(|status| format!("{status}: ")).unwrap_or_default();
    view! {
        <li>
            {status} {example.message} " " <span class="muted mono">{example.request_id}</span>
        </li>
    }
}
