//! A page's heading: sets the document's title, and takes the focus after a step.

use leptos::prelude::*;
use leptos_meta::Title;

/// A link to an element of the page, which also moves the focus there.
#[component]
pub fn JumpLink(#[prop(into)] to: String, #[prop(optional)] class: &'static str, #[prop(into)] text: String) -> impl IntoView {
    view! {
        <a class=class href=format!("#{to}")>
            {text}
        </a>
    }
    .into_any()
}

/// The heading, with the document's title and the page's actions.
#[component]
pub fn PageHeading(
    #[prop(into)] title: String,
    /// A line above it, such as `Step 3 of 8`; also in the document's title.
    #[prop(optional, into)]
    above: Option<String>,
    /// Whether the page shows a refused form: the document's title then begins with "Error:".
    #[prop(optional)]
    error: bool,
    /// Whether the heading takes the focus, as it does after a step; a refused form focuses its summary instead.
    #[prop(optional)]
    focused: bool,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    let document_title = document_title(&title, above.as_deref(), error);
    view! {
        <Title text=document_title />
        <div class="page-head">
            <div>
                {above.map(|above| view! { <p class="caption">{above}</p> })}
                <h1 id="page-title" tabindex="-1" autofocus=focused && !error>
                    {title}
                </h1>
            </div>
            {children.map(|children| view! { <div class="actions">{children()}</div> })}
        </div>
    }
    .into_any()
}

fn document_title(title: &str, above: Option<&str>, error: bool) -> String {
    let above = above.map(|above| format!(" – {above}")).unwrap_or_default();
    format!("{}{title}{above} – Dyno", if error { "Error: " } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_form_is_named_in_the_title() {
        assert_eq!(document_title("Cluster", Some("Step 3 of 8"), true), "Error: Cluster – Step 3 of 8 – Dyno");
        assert_eq!(document_title("Runs", None, false), "Runs – Dyno");
    }
}
