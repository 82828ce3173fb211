//! Pages shown when their data can't be loaded.

use leptos::prelude::*;

use super::banner::{Banner, Notice};
use super::button::LinkButton;
use super::heading::PageHeading;
use crate::api::functions::CallError;
use crate::domain::problem::ProblemKind;

/// Sets the HTTP status of the page's answer.
pub fn answer_with_status(status: u16) {
    if let (Some(response), Ok(status)) =
        (use_context::<leptos_axum::ResponseOptions>(), axum::http::StatusCode::from_u16(status))
    {
        response.set_status(status);
    }
}

/// Replaces a page: not found, sign in first, or the error.
#[component]
pub fn Failure(
    /// The error of the call.
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

/// The page for an unknown address, or another person's object.
#[component]
pub fn Missing(
    /// What does not exist.
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

/// Redirects to the sign-in page, and from there back to this one.
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

/// Shown on a self-renewing page when the session has ended: the content stays, with a link to the sign-in.
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

/// The address of the sign-in page that returns to this page.
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
