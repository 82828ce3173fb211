//! What a page shows when its data cannot be had.

use leptos::prelude::*;

use super::banner::{Banner, Notice};
use super::button::LinkButton;
use super::heading::PageHeading;
use crate::api::functions::CallError;
use crate::domain::problem::ProblemKind;

/// Gives the page's answer an HTTP status.
pub fn answer_with_status(status: u16) {
    if let (Some(response), Ok(status)) =
        (use_context::<leptos_axum::ResponseOptions>(), axum::http::StatusCode::from_u16(status))
    {
        response.set_status(status);
    }
}

/// In place of a page: not found, sign in first, or what went wrong.
#[component]
pub fn Failure(
    /// What the call answered.
    error: CallError,
) -> impl IntoView {
    let problem = error.0;
    match problem.kind {
        ProblemKind::Unauthorized => view! { <ToSignIn /> }.into_any(),
        ProblemKind::NotFound => view! { <Missing detail=problem.detail /> }.into_any(),
        kind => {
            answer_with_status(kind.status());
            view! {
                <PageHeading title="This page cannot be shown" />
                <Banner notice=Notice::Error>
                    <p>{problem.detail}</p>
                </Banner>
                <div class="actions">
                    <LinkButton href="/" text="Go to runs" />
                </div>
            }
            .into_any()
        }
    }
}

/// The page for an address that leads nowhere, or to another person's object.
#[component]
pub fn Missing(
    /// What there is none of.
    #[prop(into)]
    detail: String,
) -> impl IntoView {
    answer_with_status(404);
    view! {
        <PageHeading title="Page not found" />
        <p>{detail}</p>
        <div class="actions">
            <LinkButton href="/" text="Go to runs" />
        </div>
    }
}

/// Leads to the sign-in page, and from there back to this one.
#[component]
fn ToSignIn() -> impl IntoView {
    let href = sign_in_and_back();
    leptos_axum::redirect(&href);
    view! {
        <PageHeading title="Sign in" />
        <p>
            <a href=href>"Sign in to go on."</a>
        </p>
    }
}

/// On a page that renews itself, for when the server answers that the session is over: what is there stays, with the way on.
#[component]
pub fn SignedOut() -> impl IntoView {
    view! {
        <div id="signed-out" hidden>
            <Banner notice=Notice::Warning>
                <p>
                    "You are signed out. What is shown here is no longer renewed. " <a href=sign_in_and_back()>"Sign in to go on"</a> "."
                </p>
            </Banner>
        </div>
    }
}

/// The sign-in page, which leads back to this one.
fn sign_in_and_back() -> String {
    let location = leptos_router::hooks::use_location();
    let here = format!(
        "{}{}",
        location.pathname.get_untracked(),
        location.search.with_untracked(|search| {
            if search.is_empty() { String::new() } else { format!("?{}", search.trim_start_matches('?')) }
        })
    );
    format!("/sign-in?next={}", crate::api::functions::query_escape(&here))
}
