//! A section of the report below the headline: open where there is room, folded on a phone. Without scripts: the browser's
//! own fold, which the style sheet holds open on wide pages.

use leptos::prelude::*;

/// A section with its heading.
#[component]
pub fn Section(
    id: &'static str,
    #[prop(into)] title: String,
    /// Whether it stands in a panel.
    #[prop(optional)]
    panel: bool,
    children: Children,
) -> impl IntoView {
    let title_id = format!("{id}-title");
    let (labelled_by, folded_title) = (title_id.clone(), title.clone());
    // One of the two headings is shown, whichever the page's width asks for. The anchor is inside, so that a link to it opens
    // the fold.
    view! {
        <section class="report-section" aria-labelledby=labelled_by>
            <h2 class="section-title" id=title_id>
                {title}
            </h2>
            <details class="section-fold">
                <summary>
                    <h2>{folded_title}</h2>
                </summary>
                <div id=id class=if panel { "section-body panel stack" } else { "section-body stack" }>
                    {children()}
                </div>
            </details>
        </section>
    }
    .into_any()
}
