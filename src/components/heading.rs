//! A page's heading: it names the document, and takes the focus after a step or page has changed without a reload.

use leptos::prelude::*;
use leptos_meta::Title;

/// Whether the page in the browser has come to life; false on the server and while hydrating.
#[derive(Debug, Clone, Copy)]
pub struct Hydrated(pub RwSignal<bool>);

/// Whether the page has come to life, without following the signal.
pub fn is_hydrated() -> bool {
    use_context::<Hydrated>().is_some_and(|hydrated| hydrated.0.get_untracked())
}

/// Gives the focus to an element, in the browser.
pub fn focus(id: &str) {
    use leptos::wasm_bindgen::JsCast;
    if let Some(element) = document().get_element_by_id(id)
        && let Ok(element) = element.dyn_into::<leptos::web_sys::HtmlElement>()
    {
        // An element that cannot take the focus leaves it where it is.
        let _ = element.focus();
    }
}

/// A link to an element of the same page, which then also has the focus.
#[component]
pub fn JumpLink(
    /// The element's id.
    #[prop(into)]
    to: String,
    /// More classes.
    #[prop(optional)]
    class: &'static str,
    /// The link's text.
    #[prop(into)]
    text: String,
) -> impl IntoView {
    let href = format!("#{to}");
    view! {
        <a
            class=class
            href=href
            on:click=move |event| {
                event.prevent_default();
                focus(&to);
            }
        >
            {text}
        </a>
    }
    .into_any()
}

/// The heading, the document's title, and a page's actions at its right.
#[component]
pub fn PageHeading(
    /// The heading.
    #[prop(into)]
    title: String,
    /// What stands above it in small letters, `Step 3 of 8` say; also in the document's title.
    #[prop(optional, into)]
    above: Option<String>,
    /// Whether the page shows a refused form: the document's title then begins with "Error:".
    #[prop(optional)]
    error: bool,
    /// The page's actions.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let document_title = document_title(&title, above.as_deref(), error);
    Effect::new(move |_| {
        // A refused form focuses its summary instead.
        if is_hydrated() && !error {
            request_animation_frame(|| focus("page-title"));
        }
    });
    view! {
        <Title text=document_title />
        <div class="page-head">
            <div>
                {above.map(|above| view! { <p class="caption">{above}</p> })}
                <h1 id="page-title" tabindex="-1">
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
