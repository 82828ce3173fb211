//! The page behind a one-time link: choose a password, and the first administrator a name as well.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use server_fn::ServerFn;

use crate::api::functions::account::{AcceptLink, find_link, visitor_flash};
use crate::components::button::{LinkButton, Look, Submit};
use crate::components::failure::answer_with_status;
use crate::components::field::TextField;
use crate::components::form::{ErrorSummary, summary_lines};
use crate::components::heading::PageHeading;

/// The page of a one-time link.
#[component]
pub fn AcceptLinkPage() -> impl IntoView {
    let params = use_params_map();
    let token = move || params.read().get("token").unwrap_or_default();
    let data = Resource::new(token, |token| async move { (find_link(token).await, visitor_flash().await.ok().flatten()) });
    view! {
        <Suspense>
            {move || Suspend::new(async move {
                let (person, flash) = data.await;
                let flash = flash.unwrap_or_default();
                match person {
                    Ok(person) => {
                        view! {
                            <div class="narrow stack-loose">
                                <ErrorSummary lines=summary_lines(&flash) />
                                <PageHeading title="Set your password" error=flash.is_refusal() />
                                <form class="form" method="post" action=AcceptLink::url() novalidate>
                                    <input type="hidden" name="token" value=params.read_untracked().get("token") />
                                    <TextField
                                        name="name"
                                        label="Name"
                                        hint="What you sign in with. It is shown beside your runs."
                                        autocomplete="username"
                                        value=flash.value("name", person.name)
                                        error=flash.error("name")
                                    />
                                    <TextField
                                        name="password"
                                        label="Password"
                                        kind="password"
                                        hint="At least 10 characters."
                                        autocomplete="new-password"
                                        error=flash.error("password")
                                    />
                                    <TextField
                                        name="password_again"
                                        label="Password again"
                                        kind="password"
                                        autocomplete="new-password"
                                        error=flash.error("password_again")
                                    />
                                    <div class="actions">
                                        <Submit text="Set password and sign in" look=Look::Primary />
                                    </div>
                                </form>
                            </div>
                        }
                            .into_any()
                    }
                    Err(error) => {
                        answer_with_status(error.0.kind.status());
                        view! {
                            <div class="narrow stack-loose">
                                <PageHeading title="This link does not work" />
                                <p>{error.0.detail}</p>
                                <p>"Ask an administrator for a new one. The first administrator's link is printed when the portal starts."</p>
                                <div class="actions">
                                    <LinkButton href="/sign-in" text="Sign in" />
                                </div>
                            </div>
                        }
                            .into_any()
                    }
                }
            })}
        </Suspense>
    }
}
