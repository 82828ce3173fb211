//! The frame of every page: brand, navigation, theme, sign-out.

use leptos::prelude::*;
use leptos_router::components::A;

use crate::api::functions::account::{SetTheme, SignOut, Visit};
use crate::islands::ThemeSwitch;
use server_fn::ServerFn;

/// The portal's name with its mark.
#[component]
fn Brand() -> impl IntoView {
    view! {
        <a class="brand" href="/">
            <svg viewBox="0 0 32 32" aria-hidden="true" focusable="false">
                <path d="M5 24a13 13 0 1 1 22 0" fill="none" stroke="currentColor" stroke-width="3" stroke-linecap="round"></path>
                <path d="M16 19l7-8" fill="none" stroke="currentColor" stroke-width="3" stroke-linecap="round"></path>
                <circle cx="16" cy="19" r="3" fill="currentColor"></circle>
            </svg>
            "Dyno"
        </a>
    }
}

/// The header of every page; with navigation for those who are signed in.
#[component]
pub fn SiteHeader(
    visit: Visit,
    /// Addresses and names of the navigation.
    links: &'static [(&'static str, &'static str)],
) -> impl IntoView {
    let Visit { session, theme } = visit;
    let navigation = session.as_ref().map(|_| {
        view! {
            <nav class="site-nav" aria-label="Main">
                <ul>
                    {links
                        .iter()
                        .map(|(href, text)| {
                            view! {
                                <li>
                                    <A href=*href exact=*href == "/">
                                        {*text}
                                    </A>
                                </li>
                            }
                        })
                        .collect_view()}
                </ul>
            </nav>
        }
    });
    // a plain form, so that the whole page is reloaded and nothing of the session stays in memory
    let sign_out = session.map(|session| {
        view! {
            <span class="muted small">{session.name}</span>
            <form method="post" action=SignOut::url()>
                <button type="submit" class="button button-small">
                    "Sign out"
                </button>
            </form>
        }
    });
    view! {
        <header class="site-header">
            <div class="site-header-inner">
                <Brand />
                <button type="button" class="button site-menu-button" popovertarget="site-menu">
                    "Menu"
                </button>
                <div class="site-menu" id="site-menu" popover="auto">
                    {navigation}
                    <div class="site-tools">
                        <ThemeSwitch action=SetTheme::url().to_owned() chosen=theme.unwrap_or_default() />
                        {sign_out}
                    </div>
                </div>
            </div>
        </header>
    }
    .into_any()
}
