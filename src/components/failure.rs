//! What a page shows when its data cannot be had.

use leptos::prelude::*;

use super::banner::{Banner, Notice};
use super::button::LinkButton;
use super::heading::PageHeading;
use crate::api::functions::CallError;
use crate::domain::problem::ProblemKind;

/// Gives the page's answer an HTTP status, where it is drawn on the server.
pub fn answer_with_status(status: u16) {
    #[cfg(feature = "ssr")]
    if let (Some(response), Ok(status)) =
        (use_context::<leptos_axum::ResponseOptions>(), axum::http::StatusCode::from_u16(status))
    {
        response.set_status(status);
    }
    #[cfg(not(feature = "ssr"))]
    let _ = status;
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
    #[cfg(feature = "ssr")]
    leptos_axum::redirect(&href);
    let target = href.clone();
    Effect::new(move |_| {
        // A whole load, so that nothing of the ended session stays in memory.
        let _ = window().location().set_href(&target);
    });
    view! {
        <PageHeading title="Sign in" />
        <p>
            <a href=href rel="external">
                "Sign in to go on."
            </a>
        </p>
    }
}

/// On a page that renews itself, once the server has answered that the session is over: what is there stays, with the way on.
#[component]
pub fn SignedOut(
    /// Whether it is over.
    ended: RwSignal<bool>,
) -> impl IntoView {
    let href = sign_in_and_back();
    move || {
        let href = href.clone();
        ended.get().then(|| {
            view! {
                <Banner notice=Notice::Warning>
                    <p>
                        "You are signed out. What is shown here is no longer renewed. "
                        <a href=href rel="external">
                            "Sign in to go on"
                        </a> "."
                    </p>
                </Banner>
            }
        })
    }
}

/// Whether a call was refused because the session is over.
pub fn is_signed_out<T>(answer: &Result<T, CallError>) -> bool {
    answer.as_ref().is_err_and(|error| error.0.kind == ProblemKind::Unauthorized)
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
