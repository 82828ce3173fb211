//! What is around every step: the list of steps, the way back, what went wrong, the draft so far.

use leptos::prelude::*;
use strum::VariantArray as _;

use super::conflict::ConflictPanel;
use super::draft::DraftPanel;
use super::step_context::StepContext;
use super::steps::StepList;
use crate::components::banner::{Banner, Notice};
use crate::components::button::{Look, Submit};
use crate::components::field::FieldMessage;
use crate::components::form::ErrorSummary;
use crate::components::heading::PageHeading;
use crate::components::icon::{Icon, IconName};
use crate::domain::workflow::WizardPage;
use crate::domain::workflow::fields::{label, labels};
use crate::domain::workflow::step_form::FormRules;
use crate::islands::{FormGuard, Reveal, StepCheck};

/// What is around every step.
#[component]
pub fn Frame(
    /// Where the reader is.
    context: StepContext,
    /// A heading other than the step's name.
    #[prop(optional, into)]
    title: Option<String>,
    children: Children,
) -> impl IntoView {
    let page = context.page;
    let back = match page.number() {
        1 => None,
        number => {
            WizardPage::VARIANTS.get(usize::from(number) - 2).and_then(|before| Some((context.href(*before)?, before.title())))
        }
    };
    let back = back.map(|(href, text)| {
        view! {
            <a class="back" href=href>
                <Icon name=IconName::Left />
                <span>"Back"<span class="visually-hidden">{format!(" to {text}")}</span></span>
            </a>
        }
    });
    let draft = context.view.clone();
    let heading = title.unwrap_or_else(|| page.title().to_owned());
    let above = format!("Step {} of {}", page.number(), WizardPage::VARIANTS.len());
    let error = context.flash.is_refusal();
    view! {
        <div class="wizard">
            <StepList context=context.clone() />
            <div class="wizard-main">
                {back}
                <ErrorSummary lines=context.lines() />
                <PageHeading title=heading above=above error=error focused=draft.is_some() />
                <DroppedBanner context=context.clone() />
                <PassedOver context=context.clone() />
                <ConflictPanel context=context />
                {children()}
            </div>
            <div class="wizard-draft">{draft.map(|view| view! { <DraftPanel view=view /> })}</div>
        </div>
    }
    .into_any()
}

/// "Changing the cluster cleared nodes and confirmation."
#[component]
fn DroppedBanner(context: StepContext) -> impl IntoView {
    let what = match context.dropped_by {
        Some(WizardPage::Details) => "the details",
        Some(WizardPage::Load) => "the load",
        Some(WizardPage::Cluster) => "the cluster",
        Some(WizardPage::Nodes) => "the nodes",
        Some(WizardPage::Model) => "the model",
        Some(WizardPage::Confirm | WizardPage::Execution | WizardPage::Deployment) | None => "this",
    };
    (!context.dropped.is_empty()).then(|| {
        let sentence = format!("Changing {what} cleared {}.", labels(&context.dropped));
        let alone = context.dropped.iter().all(|field| label(field) == "confirmation");
        let notice = if alone { Notice::Info } else { Notice::Warning };
        view! {
            <Banner notice=notice>
                <p>{sentence}</p>
            </Banner>
        }
    })
}

/// What was chosen without a question, each with the way to change it.
#[component]
fn PassedOver(context: StepContext) -> impl IntoView {
    let Some(view) = context.view.clone() else { return ().into_any() };
    let chosen = |page: WizardPage| match page {
        WizardPage::Cluster => view.chosen.cluster.as_ref().map(|cluster| cluster.name.clone()),
        WizardPage::Nodes => view.answer.workflow_steps.nodes.first().map(|node| node.hostname.clone()),
        _ => None,
    };
    let items: Vec<_> = context.passed.iter().filter_map(|page| Some((*page, chosen(*page)?, context.href(*page)?))).collect();
    (!items.is_empty())
        .then(|| {
            let items = items
                .into_iter()
                .map(|(page, value, href)| {
                    view! {
                        <li>
                            {format!("{}: {value}. ", page.title())}
                            <a href=href>"Change"<span class="visually-hidden">{format!(" {}", page.title().to_lowercase())}</span></a>
                        </li>
                    }
                })
                .collect_view();
            view! {
                <Banner notice=Notice::Info>
                    <p>"Chosen for you, since there is no other:"</p>
                    <ul>{items}</ul>
                </Banner>
            }
        })
        .into_any()
}

/// The id of a step's form.
const FORM: &str = "step-form";

/// The form of a step: posts to its server function.
#[component]
pub fn StepForm(
    action: &'static str,
    /// Where the reader is.
    context: StepContext,
    /// What the button says.
    #[prop(default = "Continue".to_owned(), into)]
    button: String,
    /// What the button answers, where there are several: field and value.
    #[prop(optional)]
    value: Option<(&'static str, String)>,
    /// Another way to send it, before the main one.
    #[prop(optional_no_strip)]
    other: Option<AnyView>,
    /// What the buttons begin, in one bar with them.
    #[prop(optional, into)]
    starts: Option<String>,
    /// What its fields are checked by while they are typed.
    #[prop(optional)]
    check: Option<FormRules>,
    children: Children,
) -> impl IntoView {
    // A form that comes back after a sign-in still knows which revision it was drawn from.
    let drawn_from =
        context.flash.signed_out.then(|| context.flash.value("if_revision", "")).filter(|revision| !revision.is_empty());
    let stored = context.view.as_ref().map(|view| view.answer.revision.to_string());
    let revision = drawn_from.or(stored).unwrap_or_default();
    let workflow_id = context.view.as_ref().map(|view| view.answer.workflow_id.to_string()).unwrap_or_default();
    let conflict = context.flash.changed.is_some();
    let button = if conflict { "Save my version".to_owned() } else { button };
    // What is in the fields of a refused form is saved nowhere.
    let unsaved = context.flash.is_refusal();
    let buttons = view! {
        <div class="actions">
            {other}
            {match value {
                Some((name, value)) => view! { <Submit text=button look=Look::Primary value=(name, value) /> }.into_any(),
                None => view! { <Submit text=button look=Look::Primary /> }.into_any(),
            }}
        </div>
    };
    view! {
        <form class="form" id=FORM method="post" action=action novalidate>
            <input type="hidden" name="workflow_id" value=workflow_id />
            <input type="hidden" name="if_revision" value=revision />
            {context.begins.map(|form| view! { <input type="hidden" name="begins" value=form.to_string() /> })}
            <input type="hidden" name="return_to" value=if context.from_confirm { "confirm" } else { "" } />
            {children()}
            {match starts {
                Some(starts) => view! { <div class="start-bar"><p>{starts}</p> {buttons}</div> }.into_any(),
                None => buttons.into_any(),
            }}
        </form>
        // Stands before the check: what a choice does not need is left out first.
        <Reveal form=FORM />
        {check
            .map(|rules| {
                view! {
                    <template id="field-message">
                        <FieldMessage name="" error=Some(String::new()) />
                    </template>
                    <StepCheck form=FORM rules=rules />
                }
            })}
        <FormGuard form=FORM unsaved=unsaved />
    }
    .into_any()
}
