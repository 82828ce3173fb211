//! One dataset: what was counted, and its first rows as text.

use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use server_fn::ServerFn;

use super::{format_words, with_reference};
use crate::api::functions::datasets::{DatasetView, DeleteDataset, load_dataset};
use crate::api::functions::lists::Owned;
use crate::components::banner::{Banner, Notice};
use crate::components::confirm::ConfirmForm;
use crate::components::definition::{Definition, Definitions};
use crate::components::heading::PageHeading;
use crate::components::number::{figure, grouped};
use crate::components::outcome::Outcome;
use crate::components::table::{Column, DataTable};
use crate::components::time::Time;
use crate::pages::loaded::loaded;
use dyno_measure::dataset::{DatasetRow, TraceRow};
use dyno_measure::words::about as duration;

/// `/datasets/:id`
#[component]
pub fn DatasetPage() -> impl IntoView {
    let (params, query) = (use_params_map(), use_query_map());
    let asked = move || (params.read().get("id").unwrap_or_default(), query.read().get("flash").unwrap_or_default());
    let data = Resource::new(asked, |(id, flash)| load_dataset(id, flash));
    loaded(data, move |view| view! { <Detail view=view /> })
}

#[component]
fn Detail(view: DatasetView) -> impl IntoView {
    let Owned { item: dataset, owner, removable } = view.dataset;
    let archived = dataset.archived.then(|| {
        view! {
            <Banner notice=Notice::Info>
                <p>"This dataset left the list. It is kept for the runs that used it, and can't be chosen any more."</p>
            </Banner>
        }
    });
    let delete = (removable && !dataset.archived).then(|| {
        let fields = vec![("id", dataset.id.to_string())];
        view! {
            <ConfirmForm
                action=DeleteDataset::url()
                text="Delete dataset"
                about=dataset.name.clone()
                sentence="The dataset leaves the list. Its rows are deleted, unless a run used them."
                fields=fields
            />
        }
    });
    let shown = view.rows.len().max(view.arrivals.len());
    let rows = match view.problem {
        Some(problem) => view! {
            <Banner notice=Notice::Error>
                <p>{problem}</p>
            </Banner>
        }
        .into_any(),
        None if dataset.format.is_trace() => first_arrivals(&view.arrivals),
        None => first_rows(view.rows),
    };
    let notes = dyno_datasets::notes(&dataset.left_out, dataset.replaced, dataset.samples, "the file");
    let notes = (!notes.is_empty()).then(|| notes.join(" "));
    let facts = match dataset.trace.clone() {
        Some(trace) => view! {
            <Definition term="First to last arrival">{duration(trace.span_s)}</Definition>
            <Definition term="Mean input, tokens">{figure(trace.mean_input_tokens)}</Definition>
            <Definition term="Mean output, tokens">{figure(trace.mean_output_tokens)}</Definition>
        }
        .into_any(),
        None => view! {
            <Definition term="With a reference answer">{with_reference(dataset.with_reference)}</Definition>
            <Definition term="Mean prompt, characters">{dataset.mean_prompt_chars.map(figure)}</Definition>
        }
        .into_any(),
    };
    view! {
        <div class="inventory stack-loose">
            <a class="back" href="/datasets">"All datasets"</a>
            <Outcome flash=view.flash />
            <PageHeading title=dataset.name.clone() above="Dataset".to_owned() />
            {archived}
            <section class="card">
                <h2>"What was counted"</h2>
                <Definitions>
                    <Definition term="Samples">{grouped(dataset.samples)}</Definition>
                    {notes.map(|notes| view! { <Definition term="Left out or changed">{notes}</Definition> })}
                    <Definition term="Format">{format_words(dataset.format)}</Definition>
                    {facts}
                    <Definition term="SHA-256 of the rows">
                        <code>{dataset.sha256.clone()}</code>
                    </Definition>
                    <Definition term="Owner">{owner}</Definition>
                    <Definition term="Added">
                        <Time at=dataset.created_at />
                    </Definition>
                </Definitions>
            </section>
            <section class="stack">
                <h2>{format!("First {shown} of {} rows", grouped(dataset.samples))}</h2>
                {rows}
            </section>
            {delete}
        </div>
    }
}

fn first_arrivals(arrivals: &[TraceRow]) -> AnyView {
    let columns = ["Row", "After the first, s", "Input, tokens", "Output, tokens", "Blocks of 512"].map(Column::figures).to_vec();
    let first = arrivals.first().map_or(0.0, |arrival| arrival.timestamp);
    let rows = arrivals
        .iter()
        .enumerate()
        .map(|(index, arrival)| {
            let blocks = match arrival.hash_ids.len() {
                0 => view! { <span class="muted">"not said"</span> }.into_any(),
                blocks => grouped(blocks as u64).into_any(),
            };
            view! {
                <tr>
                    <th scope="row" class="numeric">{(index + 1).to_string()}</th>
                    <td class="numeric" data-label="After the first, s">{figure((arrival.timestamp - first) / 1e3)}</td>
                    <td class="numeric" data-label="Input, tokens">{grouped(arrival.input_length.into())}</td>
                    <td class="numeric" data-label="Output, tokens">{grouped(arrival.output_length.into())}</td>
                    <td class="numeric" data-label="Blocks of 512">{blocks}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <div class="preview">
            <DataTable caption="First arrivals" caption_hidden=true columns=columns>
                {rows}
            </DataTable>
        </div>
    }
    .into_any()
}

fn first_rows(rows: Vec<DatasetRow>) -> AnyView {
    let columns = vec![Column::figures("Row"), Column::text("What is sent"), Column::text("Reference")];
    let rows = rows
        .into_iter()
        .enumerate()
        .map(|(index, row)| {
            // The role is said where there is more than one message.
            let several = row.messages.len() > 1;
            let messages = row
                .messages
                .into_iter()
                .map(|message| {
                    let role = several.then(|| view! { <span class="muted">{format!("{}: ", message.role)}</span> });
                    view! { <p class="row-text">{role}{message.content}</p> }
                })
                .collect_view();
            let reference = match row.reference {
                Some(reference) => view! { <p class="row-text">{reference}</p> }.into_any(),
                None => view! { <span class="muted">"none"</span> }.into_any(),
            };
            view! {
                <tr>
                    <th scope="row" class="numeric">{(index + 1).to_string()}</th>
                    <td data-label="What is sent">{messages}</td>
                    <td data-label="Reference">{reference}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <div class="preview">
            <DataTable caption="First rows" caption_hidden=true columns=columns blocks=true>
                {rows}
            </DataTable>
        </div>
    }
    .into_any()
}
