//! The reader's drafts: go on with one, or discard it.

use leptos::prelude::*;
use leptos_router::params::ParamsMap;
use server_fn::ServerFn;

use crate::api::functions::drafts::{DiscardDraft, DraftsView, load_drafts};
use crate::components::banner::Empty;
use crate::components::button::{LinkButton, Look};
use crate::components::confirm::ConfirmForm;
use crate::components::heading::PageHeading;
use crate::components::outcome::Outcome;
use crate::components::table::{Column, DataTable};
use crate::components::time::Time;
use crate::domain::list::ListQuery;
use crate::domain::workflow::WorkflowRow;
use crate::pages::lists::{Listing, list_page};

const PATH: &str = "/drafts";

#[component]
pub fn DraftsPage() -> impl IntoView {
    list_page(load_drafts, |view, asks, params| view! { <List view=view asks=asks params=params /> }.into_any())
}

#[component]
fn List(view: DraftsView, asks: ListQuery, params: ParamsMap) -> impl IntoView {
    let DraftsView { drafts, flash } = view;
    let listing = Listing { path: PATH, params, asks, total: drafts.total, shown: drafts.items.len() };
    let sorting = listing.sorting("-updated_at");
    let empty = view! {
        <Empty message="No drafts. A benchmark that was begun and not started yet is kept here.">
            <LinkButton href="/benchmarks/new" text="New benchmark" look=Look::Primary />
        </Empty>
    }
    .into_any();
    let rows = move || {
        let columns = vec![
            Column::text("Name").sorted_by("name"),
            Column::text("Next step"),
            Column::text("Changed").sorted_by("updated_at"),
            Column::text("Begun").sorted_by("created_at"),
            Column::text("Discard"),
        ];
        view! {
            <DataTable caption="Drafts" caption_hidden=true columns=columns sorting=Some(sorting) blocks=true>
                {drafts.items.into_iter().map(|draft| view! { <Row draft=draft /> }).collect_view()}
            </DataTable>
        }
        .into_any()
    };
    view! {
        <div class="inventory stack-loose">
            <Outcome flash=flash />
            <PageHeading title="Drafts">
                <LinkButton href="/benchmarks/new" text="New benchmark" look=Look::Primary />
            </PageHeading>
            {listing.around("drafts", empty, rows)}
        </div>
    }
}

#[component]
fn Row(draft: WorkflowRow) -> impl IntoView {
    let name = if draft.name.is_empty() { "Draft without a name".to_owned() } else { draft.name };
    let next = format!("Continue: {} ({} of {})", draft.next_page, draft.next_page_number, draft.pages);
    view! {
        <tr>
            <th scope="row">{name.clone()}</th>
            <td>
                <a class="row-name" href=format!("/wizard/{}", draft.workflow_id)>
                    {next} <span class="visually-hidden">{format!(" with {name}")}</span>
                </a>
            </td>
            <td data-label="Changed"><Time at=draft.updated_at /></td>
            <td data-label="Begun"><Time at=draft.created_at /></td>
            <td>
                <ConfirmForm
                    action=DiscardDraft::url()
                    text="Discard"
                    about=name
                    sentence="What was entered is deleted. It cannot be undone."
                    fields=vec![("id", draft.workflow_id.to_string())]
                    look=Look::Small
                />
            </td>
        </tr>
    }
}
