//! Sign-in with name and password. Plain forms: after them the whole page is loaded anew.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use server_fn::ServerFn;

use crate::api::functions::account::{SignIn, visitor_flash};
use crate::api::functions::local_path;
use crate::components::button::{Look, Submit};
use crate::components::field::TextField;
use crate::components::form::{ErrorSummary, summary_lines};
use crate::components::heading::PageHeading;

/// The sign-in page; `?next=` is where it goes on.
#[component]
pub fn SignInPage() -> impl IntoView {
    let query = use_query_map();
    let kept = Resource::new(|| (), |()| visitor_flash());
    view! {
        <Suspense>
            {move || Suspend::new(async move {
                let flash = kept.await.ok().flatten().unwrap_or_default();
                let next = local_path(&query.read_untracked().get("next").unwrap_or_default());
                view! {
                    <div class="narrow stack-loose">
                        <ErrorSummary lines=summary_lines(&flash) />
                        <PageHeading title="Sign in" error=flash.is_refusal() />
                        <form class="form" method="post" action=SignIn::url() novalidate>
                            <input type="hidden" name="next" value=next />
                            <TextField
                                name="name"
                                label="Name"
                                autocomplete="username"
                                value=flash.value("name", "")
                                error=flash.error("name")
                            />
                            <TextField
                                name="password"
                                label="Password"
                                kind="password"
                                autocomplete="current-password"
                                error=flash.error("password")
                            />
                            <div class="actions">
                                <Submit text="Sign in" look=Look::Primary />
                            </div>
                        </form>
                        <p class="hint">
                            "No account yet? An administrator gives you a one-time link. The first administrator's link is printed in the portal's terminal."
                        </p>
                    </div>
                }
            })}
        </Suspense>
    }
}
