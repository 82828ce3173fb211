//! The wizard: what its pages show, and what their forms save. Every save goes through the one call that scripts use, with
//! the revision that the page was drawn from.

mod pass_over;
mod save;
mod step_call;

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::CallError;
use super::inventory::{Choices, Chosen};
use crate::domain::form::Flash;
use crate::domain::workflow::WorkflowAnswer;
use crate::domain::workflow::load_form::LoadForm;

use super::forms;
use crate::domain::workflow::WizardPage;
use crate::domain::workflow::load_form::optional;
use crate::domain::workflow::step_form::{FormRules, details_body, load_body, nodes_body, serving_body, text};
use save::Save;
use serde_json::{Value, json};

/// Everything that a page of the wizard shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WizardView {
    /// The draft as it stands.
    pub answer: WorkflowAnswer,
    /// What its ids stand for.
    pub chosen: Chosen,
    /// What the page offers.
    pub choices: Choices,
    /// What was typed last, if it was refused.
    pub flash: Option<Flash>,
}

/// A page of a draft, by the page's name in URLs.
#[server(endpoint = "ui/wizard")]
pub async fn load_wizard(
    #[server(default)] id: String,
    #[server(default)] page: String,
    #[server(default)] search: String,
    #[server(default)] flash: String,
) -> Result<WizardView, CallError> {
    use crate::domain::problem::Problem;
    let (app, actor) = crate::auth::context()?;
    let id = uuid::Uuid::parse_str(&id).map_err(|_| Problem::not_found("draft"))?;
    let page = page.parse::<WizardPage>().map_err(|_| Problem::not_found("step"))?;
    let answer = crate::api::calls::workflows::get(&app, &actor, id).await?;
    let chosen = super::inventory::chosen(&app, &actor, &answer.workflow_steps).await?;
    let flash = forms::kept(&flash).await;
    // A page beyond the first incomplete one is not shown, so that it needs no choices.
    let choices = if page <= answer.next_page() {
        super::inventory::choices(&app, &actor, &answer, &chosen, page, &search, flash.as_ref()).await?
    } else {
        Choices::Nothing
    };
    Ok(WizardView { answer, chosen, choices, flash })
}

/// What the first page of a new draft shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewDraftView {
    /// Tells this form from every other: however often it is sent, it begins one draft.
    pub begins: uuid::Uuid,
    /// Where to go instead: to the form's own address, or to the draft that the form has begun already.
    pub elsewhere: Option<String>,
    /// What was typed last, if it was refused.
    pub flash: Option<Flash>,
}

/// The address of a form that begins a draft. It names the form, so that whoever comes back to it finds that draft.
pub fn new_draft_path(form: uuid::Uuid) -> String {
    format!("/benchmarks/new?form={form}")
}

/// The first page of a new draft.
#[server(endpoint = "ui/wizard-new")]
pub async fn load_new_draft(
    #[server(default)] form: String,
    #[server(default)] flash: String,
) -> Result<NewDraftView, CallError> {
    let (app, actor) = crate::auth::context()?;
    let known = uuid::Uuid::parse_str(&form).ok();
    let begins = known.unwrap_or_else(uuid::Uuid::new_v4);
    let begun = match known {
        Some(form) => crate::api::calls::workflows::begun_by(&app, &actor, form).await?,
        None => None,
    };
    let flash = forms::kept(&flash).await;
    let elsewhere = match begun {
        Some(draft) => Some(format!("/wizard/{draft}/{}", WizardPage::Details.into_str())),
        None => (known.is_none() && flash.is_none()).then(|| new_draft_path(begins)),
    };
    Ok(NewDraftView { begins, elsewhere, flash })
}

/// Step 1: begins a draft when there is none yet. `begins` is the same in every click on one drawing of the form.
#[server(endpoint = "ui/wizard-details")]
#[allow(clippy::too_many_arguments, reason = "a form's fields")]
pub async fn save_details(
    #[server(default)] workflow_id: String,
    #[server(default)] if_revision: String,
    #[server(default)] return_to: String,
    #[server(default)] begins: String,
    #[server(default)] name: String,
    #[server(default)] tags: String,
    #[server(default)] description: String,
    #[server(default)] concurrent_requests: String,
    #[server(default)] eval_with: String,
) -> Result<(), CallError> {
    let entries = forms::entries(&[
        ("name", &name),
        ("tags", &tags),
        ("description", &description),
        ("concurrent_requests", &concurrent_requests),
        ("eval_with", &eval_with),
    ]);
    let mut save = match Save::new(WizardPage::Details, &workflow_id, &if_revision, &return_to, entries).begun_by(&begins).await {
        Ok(save) => save,
        Err((save, problem)) => return save.refuse(problem).await,
    };
    save = save.checked_by(&FormRules::Details);
    let tags = save.tags(&tags).await;
    let body = details_body(&name, tags, &description, &concurrent_requests, &eval_with);
    save.finish(1, body).await
}

/// Step 2.
#[server(endpoint = "ui/wizard-load")]
#[allow(clippy::too_many_arguments, reason = "a form's fields")]
pub async fn save_load(
    #[server(default)] workflow_id: String,
    #[server(default)] if_revision: String,
    #[server(default)] return_to: String,
    #[server(flatten)] form: LoadForm,
    #[server(default)] dataset_ids: Vec<String>,
    #[server(default)] search: String,
    #[server(default)] go: String,
) -> Result<(), CallError> {
    let form = form.resolved();
    let mut entries = form.entries();
    // Where the load does not go by it, this step leaves step 1's number as it is.
    entries.retain(|(name, _)| name != "concurrent_requests" || form.uses_concurrency());
    entries.push(("search".to_owned(), search.clone()));
    entries.extend(dataset_ids.iter().map(|id| ("dataset_ids".to_owned(), id.clone())));
    let save = Save::new(WizardPage::Load, &workflow_id, &if_revision, &return_to, entries);
    if go == "search" {
        return save.show_again(&[("search", &search)]).await;
    }
    let rules = match save.load_rules(&dataset_ids).await {
        Ok(rules) => rules,
        Err(problem) => return save.refuse(problem).await,
    };
    let save = match rules {
        Some(rules) => save.checked_by(&rules),
        None => save,
    };
    save.finish(2, load_body(&form, &dataset_ids)).await
}

/// Step 3.
#[server(endpoint = "ui/wizard-cluster")]
pub async fn save_cluster(
    #[server(default)] workflow_id: String,
    #[server(default)] if_revision: String,
    #[server(default)] return_to: String,
    #[server(default)] cluster_id: String,
) -> Result<(), CallError> {
    let entries = forms::entries(&[("cluster_id", &cluster_id)]);
    let save = Save::new(WizardPage::Cluster, &workflow_id, &if_revision, &return_to, entries);
    save.finish(3, json!({ "cluster_id": optional(&cluster_id, text) })).await
}

/// What the button says that finds nodes.
pub const FIND_NODES: &str = "search";
/// What the button says that ticks all nodes that were found.
pub const SELECT_MATCHING: &str = "select";

/// Step 4. A device comes as `HOSTNAME/TYPE`.
#[server(endpoint = "ui/wizard-nodes")]
#[allow(clippy::too_many_arguments, reason = "a form's fields")]
pub async fn save_nodes(
    #[server(default)] workflow_id: String,
    #[server(default)] if_revision: String,
    #[server(default)] return_to: String,
    #[server(default)] nodes: Vec<String>,
    #[server(default)] devices: Vec<String>,
    #[server(default)] load_node: String,
    #[server(default)] load_pods: String,
    #[server(default)] load_cpu_millicores: String,
    #[server(default)] search: String,
    #[server(default)] device: String,
    #[server(default)] sort: String,
    #[server(default)] go: String,
) -> Result<(), CallError> {
    let mut entries: forms::Entries = nodes.iter().map(|node| ("nodes".to_owned(), node.clone())).collect();
    entries.extend(devices.iter().map(|device| ("devices".to_owned(), device.clone())));
    let chosen: Vec<Value> = nodes
        .iter()
        .map(|hostname| {
            let types: Vec<Value> = devices
                .iter()
                .filter_map(|device| device.rsplit_once('/').filter(|(owner, _)| owner == hostname))
                .map(|(_, kind)| json!({ "type": kind }))
                .collect();
            if types.is_empty() { json!({ "hostname": hostname }) } else { json!({ "hostname": hostname, "devices": types }) }
        })
        .collect();
    entries.extend(forms::entries(&[
        ("load_node", &load_node),
        ("load_pods", &load_pods),
        ("load_cpu_millicores", &load_cpu_millicores),
        ("search", &search),
        ("device", &device),
        ("sort", &sort),
    ]));
    if [FIND_NODES, SELECT_MATCHING].contains(&go.as_str()) {
        entries.push(("go".to_owned(), go));
        return Save::new(WizardPage::Nodes, &workflow_id, &if_revision, &return_to, entries).show_again(&[]).await;
    }
    let body = nodes_body(&entries, chosen);
    let save = Save::new(WizardPage::Nodes, &workflow_id, &if_revision, &return_to, entries);
    save.finish(4, body).await
}

/// What the button says that compares layouts.
pub const COMPARE_LAYOUTS: &str = "layouts";

/// What the button says that takes a layout.
pub fn take_layout(tensor_parallel: u32, replicas: u32) -> String {
    format!("layout {tensor_parallel} {replicas}")
}

/// The degree and the copies of a button that takes a layout.
#[cfg(feature = "ssr")]
fn taken_layout(go: &str) -> Option<(u32, u32)> {
    let (degree, copies) = go.strip_prefix("layout ")?.split_once(' ')?;
    Some((degree.parse().ok()?, copies.parse().ok()?))
}

/// Steps 5 and 6. `credential_id` may be `new`: then one is added in place, for the model's address.
#[server(endpoint = "ui/wizard-model")]
#[allow(clippy::too_many_arguments, reason = "a form's fields")]
pub async fn save_model(
    #[server(default)] workflow_id: String,
    #[server(default)] if_revision: String,
    #[server(default)] return_to: String,
    #[server(default)] model_id: String,
    #[server(default)] engine: String,
    #[server(default)] tensor_parallel: String,
    #[server(default)] replicas: String,
    #[server(default)] engine_args: String,
    #[server(default)] engine_image: String,
    #[server(default)] engine_memory_limit_mib: String,
    #[server(default)] credential_id: String,
    #[server(default)] credential_name: String,
    #[server(default)] credential_secret: String,
    #[server(default)] go: String,
) -> Result<(), CallError> {
    // One click takes a layout: its numbers stand for those in the fields.
    let (tensor_parallel, replicas) = match taken_layout(&go) {
        Some((degree, copies)) => (degree.to_string(), copies.to_string()),
        None => (tensor_parallel, replicas),
    };
    // The secret is not among the entries: it is kept nowhere but sealed.
    let entries = forms::entries(&[
        ("model_id", &model_id),
        ("engine", &engine),
        ("tensor_parallel", &tensor_parallel),
        ("replicas", &replicas),
        ("engine_args", &engine_args),
        ("engine_image", &engine_image),
        ("engine_memory_limit_mib", &engine_memory_limit_mib),
        ("credential_id", &credential_id),
        ("credential_name", &credential_name),
    ]);
    let body = serving_body(&entries);
    let save = Save::new(WizardPage::Model, &workflow_id, &if_revision, &return_to, entries);
    if go == COMPARE_LAYOUTS {
        return save.show_again(&[]).await;
    }
    let model = match save.model(&model_id).await {
        Ok(model) => model,
        Err(problem) => return save.refuse(problem).await,
    };
    let cloud = model.as_ref().is_some_and(crate::domain::inventory::Model::is_cloud);
    if !cloud {
        let save = save.checked_by(&FormRules::Model);
        return save.finish(5, body).await;
    }
    let body = json!({
        "model_id": model_id,
        "engine": null,
        "tensor_parallel": null,
        "replicas": null,
        "engine_args": null,
        "engine_image": null,
        "engine_memory_limit_mib": null,
    });
    let credential = match credential_id.as_str() {
        "new" => save::CredentialForm::Add { name: credential_name, secret: credential_secret },
        "" => save::CredentialForm::Use(Value::Null),
        id => save::CredentialForm::Use(Value::String(id.to_owned())),
    };
    save.credential(model, credential).finish(5, body).await
}

/// Step 7.
#[server(endpoint = "ui/wizard-confirm")]
pub async fn save_confirmation(
    #[server(default)] workflow_id: String,
    #[server(default)] if_revision: String,
) -> Result<(), CallError> {
    let save = Save::new(WizardPage::Confirm, &workflow_id, &if_revision, "", Vec::new());
    save.finish(7, json!({ "user_confirmation": true })).await
}

/// Step 8: starts the run, and goes on to its page.
#[server(endpoint = "ui/wizard-execution")]
pub async fn save_execution(
    #[server(default)] workflow_id: String,
    #[server(default)] if_revision: String,
    #[server(default)] run_as_simulation: String,
) -> Result<(), CallError> {
    let entries = forms::entries(&[("run_as_simulation", &run_as_simulation)]);
    let save = Save::new(WizardPage::Execution, &workflow_id, &if_revision, "", entries);
    let simulation = match run_as_simulation.as_str() {
        "simulate" => Value::Bool(true),
        "run" => Value::Bool(false),
        _ => Value::Null,
    };
    save.finish(8, json!({ "run_as_simulation": simulation, "trigger_workflow": true })).await
}
