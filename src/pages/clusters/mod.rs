//! Clusters: the list, adding one, and one cluster's nodes live.

mod calibrate;
mod detail;
mod form;

use leptos::prelude::*;
use leptos_router::params::ParamsMap;

use crate::api::functions::clusters::{ClustersView, load_clusters};
use crate::api::functions::lists::Owned;
use crate::components::badge::{Badge, Tone};
use crate::components::banner::Empty;
use crate::components::button::{LinkButton, Look};
use crate::components::heading::PageHeading;
use crate::components::number::count;
use crate::components::outcome::Outcome;
use crate::components::table::{Column, DataTable};
use crate::domain::inventory::{ClusterKind, ClusterRow};
use crate::domain::list::ListQuery;
use crate::pages::lists::{Listing, list_page};

pub use detail::ClusterPage;
pub use form::ClusterFormPage;

const PATH: &str = "/clusters";

/// What people read for a kind of cluster.
fn kind_words(kind: ClusterKind) -> &'static str {
    match kind {
        ClusterKind::Local => "This machine",
        ClusterKind::Kubernetes => "Kubernetes",
        ClusterKind::Catalogue => "Catalogue",
    }
}

#[component]
pub fn ClustersPage() -> impl IntoView {
    list_page(load_clusters, |view, asks, params| view! { <List view=view asks=asks params=params /> }.into_any())
}

#[component]
fn List(view: ClustersView, asks: ListQuery, params: ParamsMap) -> impl IntoView {
    let ClustersView { clusters: page, may_add, flash } = view;
    let listing = Listing { path: PATH, params, asks, total: page.total, shown: page.items.len() };
    let sorting = listing.sorting("name");
    let empty = view! {
        <Empty message="No clusters yet.">
            <LinkButton href="/" text="Go to runs" />
        </Empty>
    }
    .into_any();
    let rows = move || {
        let columns = vec![
            Column::text("Name").sorted_by("name"),
            Column::text("State"),
            Column::text("Kind"),
            Column::text("Nodes"),
            Column::text("Devices"),
            Column::text("Owner"),
        ];
        view! {
            <DataTable caption="Clusters, read just now" caption_hidden=true columns=columns sorting=Some(sorting) blocks=true>
                {page.items.into_iter().map(|row| view! { <Row row=row /> }).collect_view()}
            </DataTable>
        }
        .into_any()
    };
    view! {
        <div class="inventory stack-loose">
            <Outcome flash=flash />
            <PageHeading title="Clusters">
                {may_add.then(|| view! { <LinkButton href="/clusters/new" text="Add a Kubernetes cluster" look=Look::Primary /> })}
            </PageHeading>
            <p class="muted">
                "The machine that the portal runs on is here from the first start, and a catalogue of devices to simulate. An administrator adds Kubernetes clusters."
            </p>
            <p><a href="/clusters/predictions">"Predicted and measured"</a>": how well runs were simulated"</p>
            {listing.around("clusters", empty, rows)}
        </div>
    }
}

#[component]
fn Row(row: Owned<ClusterRow>) -> impl IntoView {
    let Owned { item: row, owner, .. } = row;
    let (tone, word) = if row.reachable { (Tone::Succeeded, "Reachable") } else { (Tone::Failed, "Not reachable") };
    let (nodes, devices) = if row.reachable {
        (format!("{}, {} Ready", count(row.nodes.into(), "node", "nodes"), row.ready_nodes), row.devices)
    } else {
        ("not known".to_owned(), "not known".to_owned())
    };
    let kind = kind_words(row.cluster.kind());
    view! {
        <tr>
            <th scope="row"><a class="row-name" href=format!("{PATH}/{}", row.cluster.id)>{row.cluster.name}</a></th>
            <td data-label="State">
                <Badge tone=tone text=word.to_owned() />
                {row.problem.map(|problem| view! { <p class="hint">{problem}</p> })}
            </td>
            <td data-label="Kind">{kind}</td>
            <td data-label="Nodes">{nodes}</td>
            <td data-label="Devices">{devices}</td>
            <td data-label="Owner">{owner}</td>
        </tr>
    }
}
