//! Buttons that send a form, and links that look like buttons.

use leptos::prelude::*;

/// How a button looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Look {
    /// The one main action of a page.
    Primary,
    #[default]
    Plain,
    Danger,
    /// In rows and toolbars.
    Quiet,
    /// Plain and low, in table rows.
    Small,
}

impl Look {
    /// The class in the style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Self::Primary => "button button-primary",
            Self::Plain => "button",
            Self::Danger => "button button-danger",
            Self::Quiet => "button button-quiet",
            Self::Small => "button button-small",
        }
    }
}

/// Submits the form around it. Never disabled: errors are shown after submitting.
#[component]
pub fn Submit(
    /// `Continue`
    #[prop(into)]
    text: String,
    #[prop(optional)] look: Look,
    /// With several buttons in a form: the field's name and this button's value.
    #[prop(optional)]
    value: Option<(&'static str, String)>,
    /// For screen readers: what distinguishes it from similar buttons, such as the row's name.
    #[prop(optional, into)]
    about: Option<String>,
) -> impl IntoView {
    let (name, value) = value.unzip();
    view! {
        <button type="submit" class=look.class() name=name value=value>
            {text}
            {about.map(|about| view! { <span class="visually-hidden">{format!(" {about}")}</span> })}
        </button>
    }
    .into_any()
}

#[component]
pub fn LinkButton(
    #[prop(into)] href: String,
    /// `New benchmark`
    #[prop(into)]
    text: String,
    #[prop(optional)] look: Look,
) -> impl IntoView {
    view! {
        <a class=look.class() href=href>
            {text}
        </a>
    }
    .into_any()
}
