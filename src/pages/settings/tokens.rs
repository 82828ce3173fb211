//! The reader's own tokens.

use leptos::prelude::*;
use server_fn::ServerFn;

use crate::api::functions::people::{AddToken, DeleteToken};
use crate::components::banner::Empty;
use crate::components::button::{Look, Submit};
use crate::components::confirm::ConfirmForm;
use crate::components::field::TextField;
use crate::components::form::FormNumber;
use crate::components::table::{Column, DataTable};
use crate::components::time::Time;
use crate::domain::form::Flash;
use crate::domain::user::ApiToken;

/// Tokens: list, make, delete.
#[component]
pub fn Tokens(tokens: Vec<ApiToken>, flash: Flash) -> impl IntoView {
    let list = if tokens.is_empty() {
        view! { <Empty message="No tokens yet. Make one below to let a script or a CI job start benchmarks." /> }.into_any()
    } else {
        let columns = vec![Column::text("Name"), Column::text("Made"), Column::text("Last used"), Column::text("Delete")];
        view! {
            <DataTable caption="Your tokens" caption_hidden=true columns=columns blocks=true>
                {tokens.into_iter().map(|token| view! { <Row token=token /> }).collect_view()}
            </DataTable>
        }
        .into_any()
    };
    view! {
        <section class="stack" aria-labelledby="tokens">
            <h2 id="tokens">"Tokens"</h2>
            <p class="muted">
                "A token lets a script do what you may do. The calls are described in " <a href="/api/v1/openapi.json">"openapi.json"</a> "."
            </p>
            {list}
            <form class="form-inline" method="post" action=AddToken::url() novalidate>
                <FormNumber />
                <div class="field-wide">
                    <TextField
                        name="token_name"
                        label="Name of a new token"
                        autocomplete="off"
                        value=flash.value("token_name", "")
                        error=flash.error("token_name")
                    />
                </div>
                <Submit text="Make token" />
            </form>
        </section>
    }
}

#[component]
fn Row(token: ApiToken) -> impl IntoView {
    let used = match token.last_used_at {
        Some(at) => view! { <Time at=at /> }.into_any(),
        None => view! { <span class="muted">"never"</span> }.into_any(),
    };
    view! {
        <tr>
            <th scope="row">{token.name.clone()}</th>
            <td data-label="Made"><Time at=token.created_at /></td>
            <td data-label="Last used">{used}</td>
            <td>
                <ConfirmForm
                    action=DeleteToken::url()
                    text="Delete"
                    about=token.name
                    sentence="Scripts that send this token are refused from then on."
                    fields=vec![("id", token.id.to_string())]
                    look=Look::Small
                />
            </td>
        </tr>
    }
}
