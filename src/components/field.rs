//! Form fields: label, hint, error message and input, connected for screen readers. The message is between hint and input, with
//! the same text as in the error summary.

use leptos::prelude::*;

use super::escape::text_area_text;
use super::icon::{Icon, IconName};

/// The id of a field's input, which error summaries link to.
pub fn field_id(name: &str) -> String {
    format!("f-{name}")
}

fn described_by(name: &str, hint: bool, error: bool) -> Option<String> {
    let parts: Vec<String> = [(hint, "hint"), (error, "error")]
        .iter()
        .filter(|(there, _)| *there)
        .map(|(_, part)| format!("f-{name}-{part}"))
        .collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

fn frame_class(error: Option<&String>) -> &'static str {
    if error.is_some() { "field has-error" } else { "field" }
}

/// The hint of a field.
#[component]
fn Hint(name: String, hint: Option<String>) -> impl IntoView {
    hint.map(|hint| view! { <p class="hint" id=format!("f-{name}-hint")>{hint}</p> })
}

/// The error message of a field.
#[component]
pub fn FieldMessage(#[prop(into)] name: String, error: Option<String>) -> impl IntoView {
    error
        .map(|error| {
            view! {
                <p class="field-error" id=format!("f-{name}-error")>
                    <Icon name=IconName::Cross />
                    <span>
                        <span class="visually-hidden">"Error: "</span>
                        <span data-words>{error}</span>
                    </span>
                </p>
            }
        })
        .into_any()
}

/// How wide an input is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Width {
    Short,
    /// A word or two.
    Medium,
    /// As wide as the form.
    #[default]
    Full,
}

impl Width {
    fn class(self) -> &'static str {
        match self {
            Self::Short => "input input-short",
            Self::Medium => "input input-medium",
            Self::Full => "input",
        }
    }
}

/// One line of text, a number, a password, a date, a file.
#[component]
pub fn TextField(
    /// The field's name in the request.
    #[prop(into)]
    name: String,
    #[prop(into)] label: String,
    #[prop(optional, into)] value: String,
    /// Help below the label.
    #[prop(optional, into)]
    hint: Option<String>,
    #[prop(optional_no_strip, into)] error: Option<String>,
    /// `text`, `password`, `search`, `url`, `date`, `file`.
    #[prop(default = "text")]
    kind: &'static str,
    /// Whether it is a whole number: phones then show a numeric keyboard.
    #[prop(optional)]
    number: bool,
    /// `username`, `new-password`, `off`, …
    #[prop(optional)]
    autocomplete: Option<&'static str>,
    #[prop(optional)] width: Width,
    /// The unit after the input, such as `tokens`.
    #[prop(optional, into)]
    unit: Option<String>,
    /// Texts that the browser offers; others can be typed.
    #[prop(optional)]
    offers: Vec<String>,
) -> impl IntoView {
    let list = (!offers.is_empty()).then(|| format!("{}-offers", field_id(&name)));
    let offers = list.clone().map(|id| {
        view! { <datalist id=id>{offers.into_iter().map(|text| view! { <option value=text></option> }).collect_view()}</datalist> }
    });
    let width = if number { Width::Short } else { width };
    let value = (kind != "file" && kind != "password").then_some(value);
    view! {
        <div class=frame_class(error.as_ref())>
            <label for=field_id(&name)>{label}</label>
            <Hint name=name.clone() hint=hint.clone() />
            <FieldMessage name=name.clone() error=error.clone() />
            <div class="input-with-unit">
                <input
                    class=width.class()
                    id=field_id(&name)
                    name=name.clone()
                    type=kind
                    inputmode=number.then_some("numeric")
                    autocomplete=autocomplete
                    list=list
                    value=value
                    aria-invalid=error.is_some().then_some("true")
                    aria-describedby=described_by(&name, hint.is_some(), error.is_some())
                />
                {unit.map(|unit| view! { <span class="unit">{unit}</span> })} {offers}
            </div>
        </div>
    }
    .into_any()
}

/// Several lines of text.
#[component]
pub fn TextArea(
    /// The field's name in the request.
    #[prop(into)]
    name: String,
    #[prop(into)] label: String,
    #[prop(optional, into)] value: String,
    /// Help below the label.
    #[prop(optional, into)]
    hint: Option<String>,
    #[prop(optional_no_strip, into)] error: Option<String>,
    #[prop(default = 4)] rows: u32,
) -> impl IntoView {
    view! {
        <div class=frame_class(error.as_ref())>
            <label for=field_id(&name)>{label}</label>
            <Hint name=name.clone() hint=hint.clone() />
            <FieldMessage name=name.clone() error=error.clone() />
            <textarea
                class="input"
                id=field_id(&name)
                name=name.clone()
                rows=rows.to_string()
                aria-invalid=error.is_some().then_some("true")
                aria-describedby=described_by(&name, hint.is_some(), error.is_some())
            >
                {text_area_text(&value)}
            </textarea>
        </div>
    }
    .into_any()
}

/// A selection in a drop-down list.
#[component]
pub fn SelectField(
    /// The field's name in the request.
    #[prop(into)]
    name: String,
    #[prop(into)] label: String,
    options: Vec<(String, String)>,
    #[prop(optional, into)] value: String,
    /// Help below the label.
    #[prop(optional, into)]
    hint: Option<String>,
    #[prop(optional_no_strip, into)] error: Option<String>,
) -> impl IntoView {
    view! {
        <div class=frame_class(error.as_ref())>
            <label for=field_id(&name)>{label}</label>
            <Hint name=name.clone() hint=hint.clone() />
            <FieldMessage name=name.clone() error=error.clone() />
            <select
                class="input input-medium"
                id=field_id(&name)
                name=name.clone()
                aria-invalid=error.is_some().then_some("true")
                aria-describedby=described_by(&name, hint.is_some(), error.is_some())
            >
                {options
                    .into_iter()
                    .map(|(key, text)| {
                        let selected = key == value;
                        view! {
                            <option value=key selected=selected>
                                {text}
                            </option>
                        }
                    })
                    .collect_view()}
            </select>
        </div>
    }
    .into_any()
}

/// One of the choices of a [`ChoiceGroup`].
pub struct Choice {
    /// The value that is sent.
    pub value: String,
    pub label: String,
    /// Content below the label.
    pub body: Option<AnyView>,
    /// Whether it is chosen.
    pub checked: bool,
    /// Why it cannot be chosen; shown below the label.
    pub refused: Option<String>,
    /// The choices of another field that it goes with, as `FIELD VALUE VALUE`, and whether it is hidden at first.
    pub when: Option<(String, bool)>,
    /// The group that it is folded into, with its neighbours of the same group.
    pub group: Option<String>,
}

impl Choice {
    /// A choice with a label only.
    pub fn new(value: impl Into<String>, label: impl Into<String>, checked: bool) -> Self {
        Self { value: value.into(), label: label.into(), body: None, checked, refused: None, when: None, group: None }
    }

    /// Adds content below the label.
    #[must_use]
    pub fn with(mut self, body: impl IntoView + 'static) -> Self {
        self.body = Some(body.into_any());
        self
    }

    /// Folds it into a group.
    #[must_use]
    pub fn under(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// Limits it to some choices of another field.
    #[must_use]
    pub fn when(mut self, choice: String, hidden: bool) -> Self {
        self.when = Some((choice, hidden));
        self
    }

    /// Makes it unavailable, with the reason.
    #[must_use]
    pub fn refused(mut self, reason: Option<String>) -> Self {
        self.refused = reason;
        self
    }
}

/// Folds neighbouring choices of the same group together, with their number. Takes the group of each, and whether it is
/// visible.
fn folded(choices: Vec<(Option<String>, bool, AnyView)>) -> AnyView {
    let mut folds: Vec<(Option<String>, bool, Vec<AnyView>)> = Vec::new();
    for (group, open, choice) in choices {
        match folds.last_mut().filter(|fold| group.is_some() && fold.0 == group) {
            Some(fold) => {
                fold.1 |= open;
                fold.2.push(choice);
            }
            None => folds.push((group, open, vec![choice])),
        }
    }
    let folds = folds.into_iter().map(|(group, open, choices)| match group {
        Some(group) => {
            let summary = format!("{group} ({})", choices.len());
            view! {
                <details class="choice-fold" open=open>
                    <summary>{summary}</summary>
                    {choices}
                </details>
            }
            .into_any()
        }
        None => choices.into_any(),
    });
    folds.collect_view().into_any()
}

/// Radio buttons or check boxes, all visible.
#[component]
pub fn ChoiceGroup(
    /// The field's name in the request; check boxes send it with `[]` behind.
    #[prop(into)]
    name: String,
    #[prop(into)] legend: String,
    choices: Vec<Choice>,
    /// Check boxes instead of radio buttons.
    #[prop(optional)]
    several: bool,
    /// Side by side where there is room.
    #[prop(optional)]
    columns: bool,
    /// Help below the question.
    #[prop(optional, into)]
    hint: Option<String>,
    #[prop(optional_no_strip, into)] error: Option<String>,
) -> impl IntoView {
    let kind = if several { "checkbox" } else { "radio" };
    let sent_as = if several { format!("{name}[]") } else { name.clone() };
    let described = described_by(&name, hint.is_some(), error.is_some());
    let invalid = error.is_some();
    let class = frame_class(error.as_ref());
    // the error summary links to the first available choice
    let first = choices.iter().position(|choice| choice.refused.is_none()).unwrap_or(0);
    let base = field_id(&name);
    let choices = choices.into_iter().enumerate().map(|(index, choice)| {
        let id = if index == first { base.clone() } else { format!("{base}-{index}") };
        let body_id = format!("{id}-more");
        let has_body = choice.body.is_some() || choice.refused.is_some();
        let (when, hidden) = choice.when.unzip();
        let drawn = view! {
            <div class="choice" data-when=when hidden=hidden.unwrap_or_default()>
                <input
                    type=kind
                    id=id.clone()
                    name=sent_as.clone()
                    value=choice.value
                    checked=choice.checked
                    disabled=choice.refused.is_some()
                    aria-invalid=invalid.then_some("true")
                    aria-describedby=has_body.then(|| body_id.clone())
                />
                <label for=id>{choice.label}</label>
                {has_body
                    .then(|| {
                        view! {
                            <div class="choice-body" id=body_id>
                                {choice.body}
                                {choice.refused.map(|reason| view! { <p class="hint">{reason}</p> })}
                            </div>
                        }
                    })}
            </div>
        };
        (choice.group, choice.checked || invalid, drawn.into_any())
    });
    let choices: Vec<(Option<String>, bool, AnyView)> = choices.collect();
    view! {
        <fieldset class=class aria-describedby=described>
            <legend>{legend}</legend>
            <Hint name=name.clone() hint=hint />
            <FieldMessage name=name error=error />
            <div class=if columns { "choice-cards choice-columns" } else { "choice-cards" }>
                {folded(choices)}
            </div>
        </fieldset>
    }
    .into_any()
}
