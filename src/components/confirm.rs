//! A confirmation before something is deleted: a popover of the browser's own, which moves nothing and needs no scripts.

use leptos::prelude::*;

use super::button::{Look, Submit};

/// The id of a confirmation: of its form's address and of what the form names, so that it is the same in every answer.
fn popover_id(action: &str, fields: &[(&'static str, String)]) -> String {
    let what = action.rsplit('/').next().unwrap_or_default();
    let named = fields.first().map_or("", |(_, value)| value);
    let id = format!("confirm-{what}-{named}");
    id.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect()
}

/// A button that opens the confirmation with the button that submits.
#[component]
pub fn ConfirmForm(
    /// Where the form is sent.
    action: &'static str,
    /// The text of both buttons: `Delete model`.
    #[prop(into)]
    text: String,
    /// The object, for screen readers; empty where it is obvious.
    #[prop(optional, into)]
    about: String,
    #[prop(into)] sentence: String,
    /// What is sent; the first names the object.
    fields: Vec<(&'static str, String)>,
    /// The look of the button that opens the confirmation.
    #[prop(default = Look::Danger)]
    look: Look,
) -> impl IntoView {
    let id = popover_id(action, &fields);
    let hidden = fields.into_iter().map(|(name, value)| view! { <input type="hidden" name=name value=value /> }).collect_view();
    let label = if about.is_empty() { format!("{text}?") } else { format!("{text} {about}?") };
    view! {
        <button type="button" class=format!("{} confirm-open", look.class()) popovertarget=id.clone() aria-haspopup="dialog">
            {text.clone()}
            {(!about.is_empty()).then(|| view! { <span class="visually-hidden">{format!(" {about}")}</span> })}
        </button>
        <div popover="auto" id=id.clone() class="dialog confirm" role="alertdialog" aria-label=label>
            <strong class="dialog-title">{label.clone()}</strong>
            <form method="post" action=action class="stack-tight">
                <p>{sentence}</p>
                {hidden}
                <div class="actions">
                    <Submit text=text look=Look::Danger about=about />
                    // The focus begins at what loses nothing.
                    <button type="button" class="button" popovertarget=id.clone() popovertargetaction="hide" autofocus=true>
                        "Go back"
                    </button>
                </div>
            </form>
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(action: &'static str, id: &str) -> String {
        let fields = vec![("id", id.to_owned()), ("next", "/".to_owned())];
        view! { <ConfirmForm action=action text="Delete run" about="nightly" sentence="It is gone then." fields=fields /> }
            .to_html()
    }

    #[test]
    fn it_opens_over_the_page_without_scripts() {
        let html = drawn("/api/ui/runs/delete", "7f");
        assert!(!html.contains("<details"), "what folds out moves the page: {html}");
        assert!(html.contains(r#"popovertarget="confirm-delete-7f""#) && html.contains(r#"id="confirm-delete-7f""#), "{html}");
        assert!(html.contains(r#"popover="auto""#) && html.contains(r#"aria-label="Delete run nightly?""#), "{html}");
        assert_eq!(html.matches(r#"type="submit""#).count(), 1, "only the second button sends: {html}");
    }

    #[test]
    fn confirmations_of_one_page_are_told_apart() {
        let id = |action, object: &str| popover_id(action, &[("id", object.to_owned())]);
        assert_ne!(id("/api/ui/runs/delete", "a"), id("/api/ui/runs/delete", "b"));
        assert_ne!(id("/api/ui/runs/delete", "a"), id("/api/ui/runs/cancel", "a"));
    }
}
