//! People with an account, for administrators.

use leptos::prelude::*;
use server_fn::ServerFn;
use uuid::Uuid;

use crate::api::functions::people::{AddPerson, InviteAgain, RemovePerson, ShutAccount};
use crate::components::badge::{Badge, Tone};
use crate::components::button::{Look, Submit};
use crate::components::confirm::ConfirmForm;
use crate::components::field::{SelectField, TextField};
use crate::components::form::FormNumber;
use crate::components::table::{Column, DataTable};
use crate::components::time::Time;
use crate::domain::form::Flash;
use crate::domain::user::{Role, User};

fn role_words(role: Role) -> &'static str {
    match role {
        Role::Administrator => "Administrator",
        Role::Member => "Member",
    }
}

/// People: list, add, a new link, shut, remove.
#[component]
pub fn People(
    users: Vec<User>,
    /// The reader, whose own account stays.
    reader: Uuid,
    flash: Flash,
) -> impl IntoView {
    let columns = vec![
        Column::text("Name"),
        Column::text("Role"),
        Column::text("State"),
        Column::text("Added"),
        Column::text("One-time link"),
        Column::text("Account"),
    ];
    let roles = [Role::Member, Role::Administrator].map(|role| (role.into_str().to_owned(), role_words(role).to_owned()));
    view! {
        <section class="stack" aria-labelledby="people">
            <h2 id="people">"People"</h2>
            <p class="muted">
                "A person is added with a one-time link, which sets the password. Members see their own runs, drafts and credentials, and what everybody shares; administrators see all."
            </p>
            <DataTable caption="Table of people" caption_hidden=true columns=columns blocks=true>
                {users.into_iter().map(|user| view! { <Row user=user reader=reader /> }).collect_view()}
            </DataTable>
            <form class="form-inline" method="post" action=AddPerson::url() novalidate>
                <FormNumber />
                <div class="field-wide">
                    <TextField
                        name="person_name"
                        label="Name of a new person"
                        autocomplete="off"
                        value=flash.value("person_name", "")
                        error=flash.error("person_name")
                    />
                </div>
                <SelectField
                    name="role"
                    label="Role"
                    options=roles.into()
                    value=flash.value("role", Role::Member.into_str())
                    error=flash.error("role")
                />
                <Submit text="Add person" />
            </form>
        </section>
    }
}

#[component]
fn Row(user: User, reader: Uuid) -> impl IntoView {
    let (tone, word) = match (user.disabled, user.active) {
        (true, _) => (Tone::Cancelled, "Shut"),
        (false, true) => (Tone::Succeeded, "Has a password"),
        (false, false) => (Tone::Queued, "Has not used the link yet"),
    };
    let link = (!user.disabled).then(|| {
        view! {
            <form method="post" action=InviteAgain::url()>
                <FormNumber />
                <input type="hidden" name="id" value=user.id.to_string() />
                <Submit text="New one-time link" look=Look::Small about=format!("for {}", user.name) />
            </form>
        }
    });
    let account = (user.id != reader).then(|| view! { <Account user=user.clone() /> });
    view! {
        <tr>
            <th scope="row">{user.name.clone()}</th>
            <td data-label="Role">{role_words(user.role)}</td>
            <td data-label="State"><Badge tone=tone text=word.to_owned() /></td>
            <td data-label="Added"><Time at=user.created_at /></td>
            <td>{link}</td>
            <td>{account}</td>
        </tr>
    }
}

/// Shutting an account and opening it again; removing the person.
#[component]
fn Account(user: User) -> impl IntoView {
    let id = user.id.to_string();
    let shut = if user.disabled {
        view! {
            <form method="post" action=ShutAccount::url()>
                <input type="hidden" name="id" value=id.clone() />
                <input type="hidden" name="open" value="true" />
                <Submit text="Open account" look=Look::Small about=format!("of {}", user.name) />
            </form>
        }
        .into_any()
    } else {
        view! {
            <ConfirmForm
                action=ShutAccount::url()
                text="Shut account"
                about=format!("of {}", user.name)
                sentence="They are signed out everywhere at once, and their tokens are refused, until the account is opened again. What is theirs stays."
                fields=vec![("id", id.clone())]
                look=Look::Small
            />
        }
        .into_any()
    };
    view! {
        <div class="stack-tight">
            {shut}
            <ConfirmForm
                action=RemovePerson::url()
                text="Remove"
                about=user.name
                sentence="They are signed out everywhere at once. Their tokens, drafts and the secrets of their credentials are deleted for good. Their runs stay."
                fields=vec![("id", id)]
                look=Look::Small
            />
        </div>
    }
    .into_any()
}
