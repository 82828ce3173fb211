//! How the last action of a page went.

use leptos::prelude::*;

use super::banner::{Banner, Notice};
use crate::domain::form::Flash;

/// What was done, or why it was not; nothing where nothing was asked.
#[component]
pub fn Outcome(
    /// As the server kept it.
    flash: Option<Flash>,
) -> impl IntoView {
    flash
        .and_then(|flash| {
            let (notice, text) = match flash.done_sentence() {
                Some(done) => (Notice::Success, done.to_owned()),
                None if flash.is_refusal() => (Notice::Error, flash.detail.clone()),
                None => return None,
            };
            Some(view! {
                <Banner notice=notice>
                    <p>{text}</p>
                </Banner>
            })
        })
        .into_any()
}
