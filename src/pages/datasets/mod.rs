//! Datasets: the list, uploading one, one dataset's first rows.

mod add;
mod detail;

use leptos::prelude::*;
use leptos_router::params::ParamsMap;

use crate::api::functions::datasets::{DatasetsView, load_datasets};
use crate::api::functions::lists::Owned;
use crate::components::banner::Empty;
use crate::components::button::{LinkButton, Look};
use crate::components::heading::PageHeading;
use crate::components::number::{figure, grouped};
use crate::components::outcome::Outcome;
use crate::components::table::{Column, DataTable};
use crate::components::time::Time;
use crate::domain::dataset::Dataset;
use crate::domain::list::ListQuery;
use crate::pages::lists::{Listing, list_page};
use dyno_measure::dataset::DatasetFormat;

pub use add::NewDatasetPage;
pub use detail::DatasetPage;

const PATH: &str = "/datasets";

/// What people read for a format.
fn format_words(format: DatasetFormat) -> &'static str {
    match format {
        DatasetFormat::ShareGpt => "ShareGPT conversations",
        DatasetFormat::Alpaca => "Alpaca",
        DatasetFormat::Prompts => "Prompts",
        DatasetFormat::AzureTrace => "Azure trace",
        DatasetFormat::BurstGptTrace => "BurstGPT trace",
        DatasetFormat::MooncakeTrace => "Mooncake trace",
    }
}

#[component]
pub fn DatasetsPage() -> impl IntoView {
    list_page(load_datasets, |view, asks, params| view! { <List view=view asks=asks params=params /> }.into_any())
}

#[component]
fn List(view: DatasetsView, asks: ListQuery, params: ParamsMap) -> impl IntoView {
    let DatasetsView { datasets, flash } = view;
    let listing = Listing { path: PATH, params, asks, total: datasets.total, shown: datasets.items.len() };
    let sorting = listing.sorting("name");
    let empty = view! {
        <Empty message="No datasets yet.">
            <LinkButton href="/datasets/new" text="Upload a dataset" look=Look::Primary />
        </Empty>
    }
    .into_any();
    let rows = move || {
        let columns = vec![
            Column::text("Name").sorted_by("name"),
            Column::figures("Samples"),
            Column::text("Format"),
            Column::figures("With reference"),
            Column::figures("Mean prompt, characters"),
            Column::text("Owner"),
            Column::text("Added").sorted_by("created_at"),
        ];
        view! {
            <DataTable caption="Datasets" caption_hidden=true columns=columns sorting=Some(sorting) blocks=true>
                {datasets.items.into_iter().map(|dataset| view! { <Row dataset=dataset /> }).collect_view()}
            </DataTable>
        }
        .into_any()
    };
    view! {
        <div class="inventory stack-loose">
            <Outcome flash=flash />
            <PageHeading title="Datasets">
                <LinkButton href="/datasets/new" text="Upload a dataset" look=Look::Primary />
            </PageHeading>
            {listing.around("datasets", empty, rows)}
        </div>
    }
}

#[component]
fn Row(dataset: Owned<Dataset>) -> impl IntoView {
    let Owned { item: dataset, owner, .. } = dataset;
    let builtin = dataset.builtin.then(|| view! { <p class="hint">"comes with Dyno"</p> });
    view! {
        <tr>
            <th scope="row">
                <a class="row-name" href=format!("{PATH}/{}", dataset.id)>{dataset.name}</a>
                {builtin}
            </th>
            <td class="numeric" data-label="Samples">{grouped(dataset.samples)}</td>
            <td data-label="Format">{format_words(dataset.format)}</td>
            <td class="numeric" data-label="With reference">{with_reference(dataset.with_reference)}</td>
            <td class="numeric" data-label="Mean prompt, characters">{dataset.mean_prompt_chars.map(figure)}</td>
            <td data-label="Owner">{owner}</td>
            <td data-label="Added"><Time at=dataset.created_at /></td>
        </tr>
    }
}

fn with_reference(count: u64) -> String {
    if count == 0 { "none".to_owned() } else { grouped(count) }
}
