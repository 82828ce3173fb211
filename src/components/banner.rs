//! Notices at the top of a page, and messages of empty lists.

use leptos::prelude::*;

use super::icon::{Icon, IconName};

/// How much a notice matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    Info,
    Success,
    Warning,
    Error,
}

#[component]
pub fn Banner(
    /// How much it matters.
    notice: Notice,
    children: Children,
) -> impl IntoView {
    let (class, icon, role, word) = match notice {
        Notice::Info => ("banner banner-info", IconName::Info, "status", "Note: "),
        Notice::Success => ("banner banner-success", IconName::Tick, "status", "Done: "),
        Notice::Warning => ("banner banner-warning", IconName::Warning, "status", "Attention: "),
        Notice::Error => ("banner banner-error", IconName::Cross, "alert", "Error: "),
    };
    view! {
        <div class=class role=role>
            <Icon name=icon />
            <div class="banner-body">
                <span class="visually-hidden">{word}</span>
                {children()}
            </div>
        </div>
    }
    .into_any()
}

/// The message of an empty list; the children are what can be done about it.
#[component]
pub fn Empty(
    /// `No runs yet.`
    #[prop(into)]
    message: String,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="empty">
            <p>{message}</p>
            {children.map(|children| view! { <div class="actions">{children()}</div> })}
        </div>
    }
}
