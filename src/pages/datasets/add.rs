//! Uploading a dataset. The file is read at once; each bad line is named at the field.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use server_fn::ServerFn;

use crate::api::functions::datasets::UploadDataset;
use crate::api::functions::forms::load_flash;
use crate::components::button::{LinkButton, Look, Submit};
use crate::components::field::{TextField, field_id};
use crate::components::form::{ErrorSummary, FormNumber, SummaryLine, Target, summary_lines};
use crate::components::heading::PageHeading;
use crate::domain::form::Flash;
use crate::pages::loaded::loaded;

#[component]
pub fn NewDatasetPage() -> impl IntoView {
    let query = use_query_map();
    let kept = Resource::new(move || query.read().get("flash").unwrap_or_default(), load_flash);
    loaded(kept, move |flash| view! { <Upload flash=flash.unwrap_or_default() /> })
}

/// The messages about the file: bad lines, one after the other.
fn of_file(flash: &Flash) -> Vec<String> {
    flash.errors.iter().filter(|error| error.field == "file").map(|error| error.message.clone()).collect()
}

/// The summary says how many lines are wrong; which, stands at the field.
fn summary(flash: &Flash) -> Vec<SummaryLine> {
    if of_file(flash).len() < 2 {
        return summary_lines(flash);
    }
    vec![SummaryLine { message: flash.detail.clone(), target: Target::Here(field_id("file")) }]
}

#[component]
fn Upload(flash: Flash) -> impl IntoView {
    let lines = of_file(&flash);
    let several = lines.len() > 1;
    let message = if several { Some(flash.detail.clone()) } else { lines.first().cloned() };
    let list = several.then(|| {
        view! {
            <ul class="line-errors" aria-label="Lines with errors">
                {lines.into_iter().map(|line| view! { <li>{line}</li> }).collect_view()}
            </ul>
        }
    });
    view! {
        <div class="form-page stack-loose">
            <a class="back" href="/datasets">"All datasets"</a>
            <ErrorSummary lines=summary(&flash) />
            <PageHeading title="Upload a dataset" error=flash.is_refusal() />
            <form class="form" method="post" action=UploadDataset::url() enctype="multipart/form-data" novalidate>
                <FormNumber />
                <TextField
                    name="name"
                    label="Name"
                    hint="As it is called in lists, up to 100 characters."
                    autocomplete="off"
                    value=flash.value("name", "")
                    error=flash.error("name")
                />
                <div class="stack-tight">
                    <TextField
                        name="file"
                        label="File"
                        hint="JSONL, JSON or CSV in UTF-8, up to 256 MB and a million rows. A file that was refused has to be chosen again."
                        kind="file"
                        error=message
                    />
                    {list}
                </div>
                <div class="actions">
                    <Submit text="Upload" look=Look::Primary />
                    <LinkButton href="/datasets" text="Cancel" />
                </div>
            </form>
            <section class="stack-tight">
                <h2>"What is read"</h2>
                <ul>
                    <li>
                        "ShareGPT: " <code>"conversations"</code> " of " <code>"from"</code> " and " <code>"value"</code> ", or "
                        <code>"messages"</code> " of " <code>"role"</code> " and " <code>"content"</code>
                    </li>
                    <li>"Alpaca: " <code>"instruction"</code> ", " <code>"input"</code> ", " <code>"output"</code></li>
                    <li>
                        "Prompts: a field or column " <code>"prompt"</code> ", " <code>"question"</code> " or " <code>"text"</code>
                        ", perhaps with a reference answer"
                    </li>
                </ul>
            </section>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::problem::{FieldError, Problem};

    #[test]
    fn many_bad_lines_are_one_line_of_the_summary() {
        let bad = |line: u32| FieldError::new("file", format!("Line {line}: empty."));
        let problem = Problem { detail: "2 lines of the file have errors.".to_owned(), ..Problem::invalid(vec![bad(1), bad(2)]) };
        let lines = summary(&Flash::new(Vec::new(), problem));
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].message, "2 lines of the file have errors.");
        let one = Flash::new(Vec::new(), Problem::invalid(vec![FieldError::new("name", "Enter a name."), bad(3)]));
        assert_eq!(summary(&one).len(), 2);
    }
}
