//! The page for an address that leads nowhere.

use leptos::prelude::*;

use crate::components::failure::Missing;

/// 404.
#[component]
pub fn NotFound() -> impl IntoView {
    view! { <Missing detail="There is nothing at this address." /> }
}
