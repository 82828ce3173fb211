//! The reader's own password.

use leptos::prelude::*;
use server_fn::ServerFn;

use crate::api::functions::people::ChangePassword;
use crate::components::button::Submit;
use crate::components::field::{TextField, Width};
use crate::domain::form::Flash;

#[component]
pub fn Password(
    /// The reader, for the browser's store of passwords.
    name: String,
    flash: Flash,
) -> impl IntoView {
    view! {
        <section class="stack" aria-labelledby="password">
            <h2 id="password">"Password"</h2>
            <p class="muted">"Your other browsers are signed out by a change. Tokens go on working."</p>
            <form class="form" method="post" action=ChangePassword::url() novalidate>
                <input type="text" name="username" value=name autocomplete="username" hidden readonly />
                <TextField
                    name="current_password"
                    label="Current password"
                    kind="password"
                    autocomplete="current-password"
                    width=Width::Medium
                    error=flash.error("current_password")
                />
                <TextField
                    name="new_password"
                    label="New password"
                    hint="At least 10 characters."
                    kind="password"
                    autocomplete="new-password"
                    width=Width::Medium
                    error=flash.error("new_password")
                />
                <TextField
                    name="new_password_again"
                    label="New password again"
                    kind="password"
                    autocomplete="new-password"
                    width=Width::Medium
                    error=flash.error("new_password_again")
                />
                <div class="actions">
                    <Submit text="Change password" />
                </div>
            </form>
        </section>
    }
    .into_any()
}
