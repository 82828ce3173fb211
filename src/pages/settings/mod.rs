//! Settings: tokens for scripts, people (for administrators), prices and figures of devices, password, theme.

mod devices;
mod password;
mod people;
mod prices;
mod tokens;

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::api::functions::people::{SettingsView, load_settings};
use crate::components::form::{ErrorSummary, summary_lines};
use crate::components::heading::PageHeading;
use crate::components::outcome::Outcome;
use crate::components::time::Time;
use crate::domain::user::OneTimeSecret;
use crate::islands::CopyText;
use crate::pages::loaded::loaded;

#[component]
pub fn SettingsPage() -> impl IntoView {
    let query = use_query_map();
    let of_query = move |name: &str| query.read().get(name).unwrap_or_default();
    let data = Resource::new(move || (of_query("flash"), of_query("shown")), |(flash, shown)| load_settings(flash, shown));
    loaded(data, move |view| view! { <Settings view=view /> })
}

#[component]
fn Settings(view: SettingsView) -> impl IntoView {
    let flash = view.flash.clone().unwrap_or_default();
    let lines = summary_lines(&flash);
    let done = view.flash.clone().filter(|flash| !flash.is_refusal());
    let people = view.administrator.then(|| view! { <people::People users=view.users reader=view.id flash=flash.clone() /> });
    let password_flash = flash.clone();
    let (price_flash, device_flash) = (flash.clone(), flash.clone());
    view! {
        <div class="inventory stack-loose">
            <ErrorSummary lines=lines />
            <Outcome flash=done />
            <PageHeading title="Settings" above=format!("Signed in as {}", view.name.clone()) error=flash.is_refusal() />
            {view.shown.map(|shown| view! { <Once shown=shown /> })}
            <tokens::Tokens tokens=view.tokens flash=flash />
            {people}
            <prices::Prices prices=view.prices administrator=view.administrator flash=price_flash />
            <devices::Devices specifications=view.specifications administrator=view.administrator flash=device_flash />
            <password::Password name=view.name.clone() flash=password_flash />
            <section class="stack-tight" aria-labelledby="theme">
                <h2 id="theme">"Theme"</h2>
                <p>
                    "Auto, Light and Dark at the top of each page. The choice is kept in a cookie of this browser; Auto follows the system."
                </p>
            </section>
        </div>
    }
}

/// A secret that is shown this once.
#[component]
fn Once(shown: OneTimeSecret) -> impl IntoView {
    let (title, label, text, note) = match shown {
        OneTimeSecret::Token { name, secret } => (
            format!("Token {name}"),
            "The token",
            secret,
            "Copy it now: it is not shown again. Scripts send it as Authorization: Bearer TOKEN.".into_any(),
        ),
        OneTimeSecret::Link { name, link, ends } => (
            format!("One-time link for {name}"),
            "The link",
            link,
            view! {
                {format!("Copy it now: it is not shown again. Give it to {name} over a channel you trust. It works once, until ")}
                <Time at=ends />
                "."
            }
            .into_any(),
        ),
    };
    view! {
        <section class="card shown-once" aria-labelledby="shown-once">
            <h2 id="shown-once">{title}</h2>
            <p>{note}</p>
            <CopyText label=label text=text />
        </section>
    }
}
