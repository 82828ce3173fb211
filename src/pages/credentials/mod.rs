//! Credentials: the list with a test of each, and adding one.

mod add;

use leptos::prelude::*;
use leptos_router::params::ParamsMap;
use server_fn::ServerFn;

use crate::api::functions::credentials::{CredentialsView, DeleteCredential, TestCredential, load_credentials};
use crate::api::functions::lists::Owned;
use crate::components::badge::{Badge, Tone};
use crate::components::banner::Empty;
use crate::components::button::{LinkButton, Look, Submit};
use crate::components::confirm::ConfirmForm;
use crate::components::heading::PageHeading;
use crate::components::outcome::Outcome;
use crate::components::table::{Column, DataTable};
use crate::components::time::Time;
use crate::domain::form::Flash;
use crate::domain::inventory::Credential;
use crate::domain::list::ListQuery;
use crate::pages::lists::{Listing, list_page};

pub use add::NewCredentialPage;

const PATH: &str = "/credentials";

#[component]
pub fn CredentialsPage() -> impl IntoView {
    list_page(load_credentials, |view, asks, params| view! { <List view=view asks=asks params=params /> }.into_any())
}

/// How the last test went, for the credential that was tested.
fn tested(flash: Option<&Flash>, id: &str) -> Option<(bool, String)> {
    let flash = flash?;
    (flash.entry("tested") == Some(id)).then(|| (flash.entry("class") == Some("ok"), flash.value("message", "")))
}

#[component]
fn List(view: CredentialsView, asks: ListQuery, params: ParamsMap) -> impl IntoView {
    let CredentialsView { credentials, flash } = view;
    let listing = Listing { path: PATH, params, asks, total: credentials.total, shown: credentials.items.len() };
    let sorting = listing.sorting("name");
    let empty = view! {
        <Empty message="No credentials yet. A cloud model needs one; a model that Dyno deploys does not.">
            <LinkButton href="/credentials/new" text="Add a credential" look=Look::Primary />
        </Empty>
    }
    .into_any();
    let results = flash.clone();
    let rows = move || {
        let columns = vec![
            Column::text("Name").sorted_by("name"),
            Column::text("Provider"),
            Column::text("Sent to"),
            Column::text("Owner"),
            Column::text("Added").sorted_by("created_at"),
            Column::text("Connection"),
            Column::text("Delete"),
        ];
        let rows = credentials.items.into_iter().map(move |row| {
            let result = tested(results.as_ref(), &row.item.id.to_string());
            view! { <Row row=row result=result /> }
        });
        view! {
            <DataTable caption="Credentials" caption_hidden=true columns=columns sorting=Some(sorting) blocks=true>
                {rows.collect_view()}
            </DataTable>
        }
        .into_any()
    };
    view! {
        <div class="inventory stack-loose">
            <Outcome flash=flash />
            <PageHeading title="Credentials">
                <LinkButton href="/credentials/new" text="Add a credential" look=Look::Primary />
            </PageHeading>
            <p class="muted">
                "Secrets are sealed on the portal's disk, never shown again, and sent to one address only. Only their owner and administrators can use them."
            </p>
            {listing.around("credentials", empty, rows)}
        </div>
    }
}

#[component]
fn Row(row: Owned<Credential>, result: Option<(bool, String)>) -> impl IntoView {
    let Owned { item: credential, owner, removable } = row;
    let id = credential.id.to_string();
    let result = result.map(|(ok, message)| {
        let (tone, word) = if ok { (Tone::Succeeded, "Works") } else { (Tone::Failed, "Does not work") };
        view! {
            <div class="stack-tight" role="status">
                <p>
                    <Badge tone=tone text=word.to_owned() />
                </p>
                <p class="hint">{message}</p>
            </div>
        }
    });
    let delete = removable.then(|| {
        view! {
            <ConfirmForm
                action=DeleteCredential::url()
                text="Delete"
                about=credential.name.clone()
                sentence="The secret is deleted for good. Drafts that chose it have to choose another."
                fields=vec![("id", credential.id.to_string())]
                look=Look::Small
            />
        }
    });
    view! {
        <tr>
            <th scope="row">{credential.name.clone()}</th>
            <td data-label="Provider">{credential.provider.preset().title}</td>
            <td data-label="Sent to">
                <code>{credential.origin}</code>
            </td>
            <td data-label="Owner">{owner}</td>
            <td data-label="Added"><Time at=credential.created_at /></td>
            <td>
                <div class="stack-tight">
                    {result}
                    <form method="post" action=TestCredential::url()>
                        <input type="hidden" name="id" value=id />
                        <Submit text="Test connection" look=Look::Small about=credential.name />
                    </form>
                </div>
            </td>
            <td>{delete}</td>
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_stands_at_its_credential_only() {
        let entries = [("tested", "a"), ("class", "ok"), ("message", "It answered.")];
        let entries = entries.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let flash = Flash { entries, ..Flash::default() };
        assert_eq!(tested(Some(&flash), "a"), Some((true, "It answered.".to_owned())));
        assert_eq!(tested(Some(&flash), "b"), None);
        assert_eq!(tested(None, "a"), None);
    }
}
