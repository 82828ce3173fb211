//! The result of a page's last action.

use leptos::prelude::*;

use super::banner::{Banner, Notice};
use crate::domain::form::Flash;

/// A confirmation or the errors; empty without an action.
#[component]
pub fn Outcome(
    /// The stored flash data.
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
