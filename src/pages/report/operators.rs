//! What a simulated engine spends its time on, and what its memory holds.

use leptos::prelude::*;

use super::point::named;
use super::section::Section;
use crate::components::number::percent;
use crate::components::table::{Column, DataTable};
use crate::domain::simulated::{PointTime, SimulatedEngine};
use dyno_measure::report::Report;

/// Whether the section has something to show.
pub fn is_known(report: &Report) -> bool {
    SimulatedEngine::of(report).is_some()
}

/// Shares of time by operator, a load point a row; nothing for a measured run.
#[component]
pub fn Operators(report: Report) -> impl IntoView {
    let Some(engine) = SimulatedEngine::of(&report) else { return ().into_any() };
    let operators = engine.load_points.first().map(PointTime::shares).unwrap_or_default();
    let mut columns = vec![Column::text("Load"), Column::text("Bound by")];
    columns.extend(operators.iter().map(|(name, _)| Column::figures(name)));
    let rows = engine
        .load_points
        .iter()
        .enumerate()
        .map(|(index, point)| {
            let shares = point.shares().into_iter().map(|(name, share)| {
                view! {
                    <td class="numeric" data-label=name>
                        {percent(share)}
                    </td>
                }
            });
            view! {
                <tr>
                    <th scope="row">{named(&report.load_points, index).unwrap_or_default()}</th>
                    <td data-label="Bound by">{point.bound_words()}</td>
                    {shares.collect_view()}
                </tr>
            }
        })
        .collect_view();
    view! {
        <Section id="operators" title="Where the time goes">
            {engine.memory_words().map(|words| view! { <p class="hint">{words}</p> })}
            <DataTable caption="Share of the engine's time by operator, simulated" columns=columns blocks=true>
                {rows}
            </DataTable>
        </Section>
    }
    .into_any()
}
