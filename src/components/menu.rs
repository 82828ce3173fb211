//! Menus and dialogs as native popovers, which don't move the page and need no scripts.

use leptos::prelude::*;

use super::icon::{Icon, IconName};

/// The actions of an object, behind "⋯".
#[component]
pub fn Menu(
    /// Unique on the page.
    #[prop(into)]
    id: String,
    /// The label for screen readers: `Actions for NAME`.
    #[prop(into)]
    label: String,
    /// Links, and forms of one button.
    children: Children,
) -> impl IntoView {
    let (opens, button_label) = (id.clone(), label.clone());
    view! {
        <button type="button" class="button button-quiet menu-open" popovertarget=opens aria-label=button_label>
            <span aria-hidden="true">"⋯"</span>
        </button>
        <div popover="auto" id=id class="menu" role="group" aria-label=label>
            {children()}
        </div>
    }
    .into_any()
}

/// A button that shows the current choice and opens the others.
#[component]
pub fn DropDown(
    /// Unique on the page.
    #[prop(into)]
    id: String,
    #[prop(into)] text: String,
    /// Whether something is chosen.
    #[prop(optional)]
    active: bool,
    children: Children,
) -> impl IntoView {
    let (opens, label) = (id.clone(), text.clone());
    view! {
        <button
            type="button"
            class=if active { "button button-small drop-down drop-down-active" } else { "button button-small drop-down" }
            popovertarget=opens
        >
            <span class="drop-down-text">{label}</span>
            <Icon name=IconName::Down />
        </button>
        <div popover="auto" id=id class="menu" role="group" aria-label=text>
            {children()}
        </div>
    }
    .into_any()
}

/// A button that opens a [`Dialog`].
#[component]
pub fn DialogButton(
    #[prop(into)] opens: String,
    /// `Copy as command`
    #[prop(into)]
    text: String,
) -> impl IntoView {
    view! {
        <button type="button" class="button" popovertarget=opens>
            {text}
        </button>
    }
    .into_any()
}

/// A panel in the middle of the page, closed by its button, Escape, or a click outside.
#[component]
pub fn Dialog(
    /// Unique on the page.
    #[prop(into)]
    id: String,
    #[prop(into)] title: String,
    children: Children,
) -> impl IntoView {
    let (own_id, label) = (id.clone(), title.clone());
    view! {
        <div popover="auto" id=own_id class="dialog" role="dialog" aria-label=label>
            <div class="row-between">
                <strong class="dialog-title">{title}</strong>
                <button type="button" class="button button-small" popovertarget=id popovertargetaction="hide">
                    "Close"
                </button>
            </div>
            {children()}
        </div>
    }
    .into_any()
}
