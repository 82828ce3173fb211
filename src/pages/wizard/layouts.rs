//! Layout advice in the model step: every layout with what it is predicted to reach, and one click that takes it.

use dyno_measure::words::{count, figure};
use leptos::prelude::*;

use crate::api::functions::inventory::{LayoutOutcome, LayoutsView};
use crate::api::functions::workflows::{COMPARE_LAYOUTS, take_layout};
use crate::components::badge::{Badge, Tone};
use crate::components::button::{Look, Submit};
use crate::components::table::{Column, DataTable};
use crate::domain::layouts::{LatencyFigures, LayoutAdvice, LayoutRow};
use crate::domain::price::amount_words;

/// Rows that are shown at once; the others open.
const FIRST_ROWS: usize = 4;

/// The layouts of the model that the page was drawn for, and the button that compares those of another.
pub fn layouts(view: LayoutsView, current: (u32, u32)) -> AnyView {
    let text = if view.compared.is_some() { "Compare again" } else { "Compare layouts" };
    let list = view.compared.map(|compared| {
        let when = format!("model_id {}", compared.model);
        let list = match compared.outcome {
            LayoutOutcome::Advice(advice) => table(*advice, current),
            LayoutOutcome::Refused(reason) => view! { <p class="hint">{reason}</p> }.into_any(),
        };
        view! {
            <div class="stack" data-when=when>
                {list}
            </div>
        }
    });
    view! {
        <section class="stack" aria-labelledby="layouts-title">
            <h2 id="layouts-title">"Layout"</h2>
            <p class="hint">
                "How many devices hold one copy of the model, and how many copies there are. Predicted by simulation, nothing is started."
            </p>
            {list}
            <p>
                <Submit text=text look=Look::Small value=("go", COMPARE_LAYOUTS.to_owned()) about="for the chosen model and engine" />
            </p>
        </section>
    }
    .into_any()
}

fn table(advice: LayoutAdvice, current: (u32, u32)) -> AnyView {
    let cheapest = cheapest(&advice, current);
    let LayoutAdvice { layouts, nodes, devices, load, prediction, price, notes } = advice;
    let currency = price.map(|price| price.currency);
    let on = if nodes == 1 { devices } else { format!("{} with {devices} each", count(nodes.into(), "node")) };
    let basis = prediction.map(|prediction| {
        let error = prediction.error_words().map(|words| format!("; {words}")).unwrap_or_default();
        view! { <p class="hint">{format!("{}{error}.", prediction.standing_words())}</p> }
    });
    let notes = notes.into_iter().map(|note| view! { <p class="hint">{note}</p> }).collect_view();
    let several_nodes = nodes > 1;
    let (possible, impossible): (Vec<LayoutRow>, Vec<LayoutRow>) = layouts.into_iter().partition(|layout| layout.fits);
    let has_price = currency.is_some();
    let limited = possible.iter().any(|layout| layout.figures.as_ref().is_some_and(|figures| figures.meets_limits.is_some()));
    let place = possible.iter().position(|layout| (layout.tensor_parallel, layout.replicas) == current).unwrap_or(0);
    // The one that is chosen is always among those shown.
    let shown = possible.len().min(FIRST_ROWS.max(place + 1));
    let rest = possible[shown..].to_vec();
    let first = possible[..shown].to_vec();
    let rows = move |layouts: Vec<LayoutRow>, caption: &'static str| {
        let rows = layouts.into_iter().map(|layout| row(layout, current, limited, several_nodes, has_price)).collect_view();
        view! {
            <DataTable caption=caption caption_hidden=true columns=columns(limited, currency.as_deref()) blocks=true>
                {rows}
            </DataTable>
        }
    };
    let first = (!first.is_empty()).then(|| rows(first, "Layouts, best first"));
    let rest = (!rest.is_empty()).then(|| {
        let summary = format!("{} more", count(rest.len() as u64, "layout"));
        view! {
            <details>
                <summary>{summary}</summary>
                {rows(rest, "Further layouts")}
            </details>
        }
    });
    let impossible = impossible.into_iter().map(|layout| {
        let name = format!("{} for each copy: ", count(layout.tensor_parallel.into(), "device"));
        view! { <li>{name} {layout.reason}</li> }
    });
    let impossible = impossible.collect_view();
    let impossible = (!impossible.is_empty()).then(|| {
        view! {
            <div class="stack-tight">
                <h3>"Not possible"</h3>
                <ul>{impossible}</ul>
            </div>
        }
    });
    view! {
        <p>
            <Badge tone=Tone::Simulated text="Simulated".to_owned() />
            {format!(" On {on}, with {load}.")}
        </p>
        {cheapest}
        {first}
        {rest}
        {impossible}
        {basis}
        {notes}
    }
    .into_any()
}

fn columns(limited: bool, currency: Option<&str>) -> Vec<Column> {
    let mut columns = vec![
        Column::text("Layout"),
        Column::figures("Output tokens/s"),
        Column::figures("Per device"),
        Column::figures("TTFT p99"),
        Column::figures("TPOT p99"),
    ];
    columns.extend(currency.map(|currency| Column::figures(&format!("{currency} per million output tokens"))));
    if limited {
        columns.push(Column::text("Limits"));
    }
    columns.push(Column::text("Use").hidden());
    columns
}

fn row(layout: LayoutRow, current: (u32, u32), limited: bool, several_nodes: bool, has_price: bool) -> AnyView {
    let Some(figures) = layout.figures else { return ().into_any() };
    let name = layout_words(layout.tensor_parallel, layout.replicas, several_nodes);
    let in_use = format!("{} in use", count(layout.devices.into(), "device"));
    let p99 = |latency: Option<LatencyFigures>| {
        latency.map_or_else(|| "none".to_owned(), |latency| format!("{} ms", figure(latency.p99)))
    };
    let limits = limited.then(|| {
        let (tone, text) = match figures.meets_limits {
            Some(true) => (Tone::Succeeded, "Met"),
            _ => (Tone::Partial, "Not met"),
        };
        view! {
            <td data-label="Limits">
                <Badge tone=tone text=text.to_owned() />
            </td>
        }
    });
    let cost = has_price.then(|| {
        let words = figures.cost_per_million_output_tokens.map_or_else(|| "not known".to_owned(), figure);
        let place = figures
            .cost_rank
            .map(|rank| view! { <p class="hint">{if rank == 1 { "cheapest".to_owned() } else { format!("place {rank}") }}</p> });
        view! { <td class="numeric" data-label="Cost per million output tokens">{words} {place}</td> }
    });
    let chosen = (layout.tensor_parallel, layout.replicas) == current;
    let take = if chosen {
        view! { <span class="muted">"Chosen"</span> }.into_any()
    } else {
        let value = ("go", take_layout(layout.tensor_parallel, layout.replicas));
        view! { <Submit text="Use" look=Look::Small value=value about=name.clone() /> }.into_any()
    };
    view! {
        <tr>
            <th scope="row">
                {name}
                <p class="hint">{in_use}</p>
            </th>
            <td class="numeric" data-label="Output tokens/s">
                {figure(figures.output_throughput)}
            </td>
            <td class="numeric" data-label="Per device">
                {figure(figures.output_throughput_per_device)}
            </td>
            <td class="numeric" data-label="TTFT p99">
                {p99(figures.ttft_ms)}
            </td>
            <td class="numeric" data-label="TPOT p99">
                {p99(figures.tpot_ms)}
            </td>
            {cost}
            {limits}
            <td>{take}</td>
        </tr>
    }
    .into_any()
}

/// The one click that takes the cheapest layout within the limits.
fn cheapest(advice: &LayoutAdvice, current: (u32, u32)) -> Option<AnyView> {
    let (layout, cost) = advice.cheapest()?;
    let price = advice.price.as_ref()?;
    let name = layout_words(layout.tensor_parallel, layout.replicas, advice.nodes > 1);
    let each = amount_words(price.per_hour, &price.currency);
    let sentence = format!(
        "Cheapest: {name}, {} per million output tokens at this load; a device costs {each} per hour. Only devices in use count.",
        amount_words(cost, &price.currency)
    );
    let is_chosen = (layout.tensor_parallel, layout.replicas) == current;
    let take = (!is_chosen).then(|| {
        let value = ("go", take_layout(layout.tensor_parallel, layout.replicas));
        view! { <Submit text="Use the cheapest" look=Look::Small value=value about=name /> }
    });
    Some(view! { <p>{sentence} " " {take}</p> }.into_any())
}

/// `4 copies on 2 devices each`
fn layout_words(tensor_parallel: u32, replicas: u32, several_nodes: bool) -> String {
    let copies = if replicas == 1 { "1 copy".to_owned() } else { format!("{replicas} copies") };
    let on = count(tensor_parallel.into(), "device");
    let each = if replicas == 1 { "" } else { " each" };
    let node = if several_nodes { ", on every node" } else { "" };
    format!("{copies} on {on}{each}{node}")
}

#[cfg(test)]
mod tests {
    use super::layout_words;

    #[test]
    fn a_layout_is_said_in_words() {
        assert_eq!(layout_words(2, 4, false), "4 copies on 2 devices each");
        assert_eq!(layout_words(8, 1, true), "1 copy on 8 devices, on every node");
        assert_eq!(layout_words(1, 1, false), "1 copy on 1 device");
    }
}
