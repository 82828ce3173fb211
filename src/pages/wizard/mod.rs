//! The wizard: one page per step. The server owns the draft; a page draws what the server holds, and its form saves one
//! step and goes on. Beyond the first incomplete step nothing is shown.

mod cluster;
mod confirm;
mod conflict;
mod details;
mod draft;
mod execution;
mod frame;
mod layouts;
mod load;
mod load_field_order;
mod load_fields;
mod load_more;
mod load_prompts;
mod model;
mod nodes;
mod step_context;
mod steps;

use leptos::prelude::*;
use leptos_router::components::Redirect;
use leptos_router::hooks::{use_params_map, use_query_map};
use serde::{Deserialize, Serialize};

use crate::api::functions::workflows::{NewDraftView, WizardView, load_new_draft, load_wizard};
use crate::components::failure::{Failure, Missing};
use crate::domain::form::Flash;
use crate::domain::workflow::WizardPage;
use crate::pages::loaded::loaded;
use step_context::StepContext;

/// The first step of a new draft.
#[component]
pub fn NewBenchmark() -> impl IntoView {
    let query = use_query_map();
    let asked = move || {
        let query = query.read();
        let of = |name: &str| query.get(name).unwrap_or_default();
        (of("form"), of("flash"))
    };
    let data = Resource::new(asked, |(form, flash)| load_new_draft(form, flash));
    loaded(data, |new| match new {
        NewDraftView { elsewhere: Some(path), .. } => onwards(path),
        new => {
            let context = StepContext::new(WizardPage::Details, None, new.flash.unwrap_or_default()).begun_by(new.begins);
            view! { <details::DetailsStep context=context /> }.into_any()
        }
    })
}

/// What the address asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct WizardQuery {
    id: String,
    page: String,
    search: String,
    flash: String,
    return_to: String,
    dropped: String,
    by: String,
    passed: String,
}

/// A step of a draft; without a step in the address, the first incomplete one.
#[component]
pub fn WizardPage() -> impl IntoView {
    let params = use_params_map();
    let query = use_query_map();
    let asked = move || {
        let (params, query) = (params.read(), query.read());
        let of_query = |name: &str| query.get(name).unwrap_or_default();
        WizardQuery {
            id: params.get("id").unwrap_or_default(),
            page: params.get("step").unwrap_or_else(|| WizardPage::Details.into_str().to_owned()),
            search: of_query("search"),
            flash: of_query("flash"),
            return_to: of_query("return"),
            dropped: of_query("dropped"),
            by: of_query("by"),
            passed: of_query("passed"),
        }
    };
    let resumes = move || params.read().get("step").is_none();
    let data = Resource::new(asked, move |asked| async move {
        let view = load_wizard(asked.id.clone(), asked.page.clone(), asked.search.clone(), asked.flash.clone()).await;
        (asked, view)
    });
    view! {
        <Transition>
            {move || Suspend::new(async move {
                let (asked, view) = data.await;
                match view {
                    Err(error) => view! { <Failure error=error /> }.into_any(),
                    Ok(view) => step(asked, view, resumes()),
                }
            })}
        </Transition>
    }
}

fn step(asked: WizardQuery, view: WizardView, resumes: bool) -> AnyView {
    let Ok(page) = asked.page.parse::<WizardPage>() else {
        return view! { <Missing detail="There is no such step." /> }.into_any();
    };
    if let Some(run) = view.answer.run_id {
        return onwards(format!("/runs/{run}"));
    }
    let reached = view.answer.next_page();
    if resumes || page > reached {
        return onwards(format!("/wizard/{}/{}", view.answer.workflow_id, reached.into_str()));
    }
    let flash = view.flash.clone().unwrap_or_default();
    let context = StepContext::new(page, Some(view), flash)
        .asked_by(&asked.return_to, &asked.dropped, &asked.by)
        .passed_over(&asked.passed);
    match page {
        WizardPage::Details => view! { <details::DetailsStep context=context /> }.into_any(),
        WizardPage::Load => view! { <load::LoadStep context=context search=asked.search /> }.into_any(),
        WizardPage::Cluster => view! { <cluster::ClusterStep context=context /> }.into_any(),
        WizardPage::Nodes => view! { <nodes::NodesStep context=context /> }.into_any(),
        WizardPage::Model => view! { <model::ModelStep context=context /> }.into_any(),
        WizardPage::Confirm => view! { <confirm::ConfirmStep context=context /> }.into_any(),
        // The deployment page is the run's own; without a run it is not reached.
        WizardPage::Execution | WizardPage::Deployment => view! { <execution::ExecutionStep context=context /> }.into_any(),
    }
}

fn onwards(path: String) -> AnyView {
    view! { <Redirect path=path /> }.into_any()
}

/// A refused form with nothing in it is none.
fn refused(flash: &Flash) -> bool {
    flash.is_refusal()
}
