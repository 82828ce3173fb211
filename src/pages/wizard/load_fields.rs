//! Pieces of step 2's form.

use leptos::prelude::*;

use crate::components::field::{FieldMessage, TextField, Width, field_id};

/// Values and what people read, for a select.
pub fn options(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(value, text)| ((*value).to_owned(), (*text).to_owned())).collect()
}

/// A number that belongs to a group.
#[component]
pub fn Part(
    name: &'static str,
    label: &'static str,
    value: String,
    #[prop(optional)] unit: &'static str,
    /// The choice that needs it: `FIELD VALUE VALUE`.
    #[prop(optional)]
    when: Option<&'static str>,
    #[prop(optional_no_strip)] error: Option<String>,
) -> impl IntoView {
    view! {
        <div data-when=when>
            <TextField name=name label=label value=value width=Width::Short autocomplete="off" unit=unit error=error />
        </div>
    }
}

/// Fields under one heading.
#[component]
pub fn Group(
    legend: &'static str,
    hint: &'static str,
    /// The field that errors name, where they are about the fields together.
    #[prop(optional)]
    name: &'static str,
    #[prop(optional_no_strip)] error: Option<String>,
    children: Children,
) -> impl IntoView {
    let class = if error.is_some() { "field option-group has-error" } else { "field option-group" };
    let (id, tabindex) = if name.is_empty() { (None, None) } else { (Some(field_id(name)), Some("-1")) };
    view! {
        <fieldset class=class id=id tabindex=tabindex>
            <legend>{legend}</legend>
            <p class="hint">{hint}</p>
            <FieldMessage name=name error=error />
            {children()}
        </fieldset>
    }
    .into_any()
}
