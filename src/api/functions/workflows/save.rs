//! How a page of the wizard is saved: its step, then on to the next page, or back with what is wrong.

use serde_json::{Value, json};
use strum::VariantArray as _;
use uuid::Uuid;

use crate::api::calls;
use crate::api::functions::forms::{self, Entries};
use crate::api::functions::idempotency::{self, FIELDS_KEPT, FormKey};
use crate::api::functions::{CallError, query_escape};
use crate::domain::benchmark::Tag;
use crate::domain::form::Flash;
use crate::domain::inventory::{Model, ModelSource};
use crate::domain::problem::{FieldError, Problem, ProblemKind};
use crate::domain::user::Actor;
use crate::domain::workflow::step_form::{FormRules, OfferedDataset, tag_names};
use crate::domain::workflow::{WizardPage, WorkflowAnswer};
use crate::state::AppState;

use super::new_draft_path;
use super::pass_over::pass_over;
use super::step_call::{first_body, send};

/// A page being saved.
pub struct Save {
    page: WizardPage,
    workflow_id: String,
    if_revision: String,
    /// `confirm`: a "Change" link of the confirmation led here.
    return_to: String,
    entries: Entries,
    /// For a draft that there is none of yet: the form that begins it.
    begins: Option<Uuid>,
    credential: Option<(Option<Model>, CredentialForm)>,
    /// What is wrong with the entries by themselves.
    wrong: Vec<FieldError>,
}

/// Step 6, as the form has it.
pub enum CredentialForm {
    /// An existing one's id, or null for none.
    Use(Value),
    /// One to be added first.
    Add { name: String, secret: String },
}

impl Save {
    /// A page with what was typed on it.
    pub fn new(page: WizardPage, workflow_id: &str, if_revision: &str, return_to: &str, entries: Entries) -> Self {
        Self {
            page,
            workflow_id: workflow_id.to_owned(),
            if_revision: if_revision.to_owned(),
            return_to: return_to.to_owned(),
            entries,
            begins: None,
            credential: None,
            wrong: Vec::new(),
        }
    }

    /// Checks the entries by the rules of the step's form: all that is wrong is said at once, before anything is sent.
    pub fn checked_by(mut self, rules: &FormRules) -> Self {
        self.wrong = rules.check(&self.entries).errors;
        self
    }

    /// The form that begins the draft. When it has begun one already (two clicks, or back and Continue once more), that draft
    /// is meant, as it was then.
    pub async fn begun_by(mut self, form: &str) -> Result<Self, (Self, Problem)> {
        self.begins = Uuid::parse_str(form).ok();
        if let (true, Some(form)) = (self.workflow_id.is_empty(), self.begins) {
            let begun = async {
                let (app, actor) = crate::auth::context()?;
                calls::workflows::begun_by(&app, &actor, form).await
            };
            match begun.await {
                Ok(None) => {}
                Ok(Some(id)) => {
                    self.workflow_id = id.to_string();
                    "1".clone_into(&mut self.if_revision);
                }
                Err(problem) => return Err((self, problem)),
            }
        }
        Ok(self)
    }

    /// Sends step 6 after the page's own.
    pub fn credential(mut self, model: Option<Model>, credential: CredentialForm) -> Self {
        self.credential = Some((model, credential));
        self
    }

    /// The form's own address.
    fn here(&self) -> String {
        match Uuid::parse_str(&self.workflow_id) {
            Err(_) => self.begins.map_or_else(|| "/benchmarks/new".to_owned(), new_draft_path),
            Ok(id) => {
                let return_to = if self.return_to == "confirm" { "?return=confirm" } else { "" };
                format!("/wizard/{id}/{}{return_to}", self.page.into_str())
            }
        }
    }

    /// Sends the page's step, and answers the form: onwards, or back with what is wrong.
    pub async fn finish(self, step: u8, body: Value) -> Result<(), CallError> {
        let here = self.here();
        let entries = self.entries.clone();
        let result = match crate::auth::context() {
            Err(error) => Err(error),
            Ok(_) if !self.wrong.is_empty() => Err(Problem::invalid(self.wrong)),
            Ok((app, actor)) => match self.once(&actor) {
                // a page sent twice finds its values saved; a credential would be added twice
                None => Box::pin(self.send_steps(&app, &actor, step, body)).await,
                key => {
                    let state = app.clone();
                    let sent = async move { Box::pin(self.send_steps(&app, &actor, step, body)).await };
                    idempotency::once_to(&state, key, Box::pin(sent)).await
                }
            },
        };
        forms::answer(result, &here, entries).await
    }

    /// Answers the form with a problem.
    pub async fn refuse(self, problem: Problem) -> Result<(), CallError> {
        let here = self.here();
        forms::answer(Err(problem), &here, self.entries).await
    }

    /// Saves nothing: shows the page again with what was typed, and something added to its address.
    pub async fn show_again(self, query: &[(&str, &str)]) -> Result<(), CallError> {
        let mut here = self.here();
        for (name, value) in query {
            let joint = if here.contains('?') { '&' } else { '?' };
            here.push_str(&format!("{joint}{name}={}", query_escape(value)));
        }
        forms::show_again(&Flash { entries: self.entries, ..Flash::default() }, &here).await
    }

    /// What the page is known by where it adds a credential, which is not to be done twice, however often the page is sent.
    fn once(&self, actor: &Actor) -> Option<FormKey> {
        let Some((_, CredentialForm::Add { name, secret })) = &self.credential else { return None };
        let mut fields = vec![self.if_revision.as_str(), name, secret];
        fields.extend(self.entries.iter().map(|(_, value)| value.as_str()));
        FormKey::new(actor.id, &self.workflow_id, "wizard-model", &fields, FIELDS_KEPT)
    }

    async fn send_steps(self, app: &AppState, actor: &Actor, step: u8, body: Value) -> Result<String, Problem> {
        let id = if self.workflow_id.is_empty() {
            None
        } else {
            Some(Uuid::parse_str(&self.workflow_id).map_err(|_| Problem::not_found("draft"))?)
        };
        let mut answer = match id {
            None => calls::workflows::apply_step(app, actor, self.begins, first_body(step, body)).await?,
            Some(id) => send(app, actor, id, step, self.if_revision.parse().ok(), body).await?,
        };
        let mut dropped = std::mem::take(&mut answer.dropped);
        if let (Some((model, credential)), Some(id)) = (self.credential, id) {
            let (credential, is_new) = match credential {
                CredentialForm::Use(value) => (value, false),
                CredentialForm::Add { name, secret } => (add_credential(app, actor, model, name, secret).await?, true),
            };
            let chosen = send(app, actor, id, 6, Some(answer.revision), json!({ "credential_id": credential })).await;
            let holds_it = chosen.as_ref().is_ok_and(|answer| json!(answer.workflow_steps.credential_id) == credential);
            if is_new && !holds_it {
                remove_unused(app, actor, &credential).await;
            }
            answer = chosen?;
            dropped.append(&mut answer.dropped);
        }
        let (answer, passed) = pass_over(app, actor, self.page, answer).await;
        Ok(next(self.page, &answer, &self.return_to, &dropped, &passed))
    }

    /// The model that was chosen, if it exists.
    pub async fn model(&self, id: &str) -> Result<Option<Model>, Problem> {
        let Ok(id) = Uuid::parse_str(id) else { return Ok(None) };
        let (app, actor) = crate::auth::context()?;
        match calls::models::get(&app, &actor, id).await {
            Ok(model) => Ok(Some(model)),
            // The step itself says that there is none.
            Err(problem) if problem.kind == ProblemKind::NotFound => Ok(None),
            Err(problem) => Err(problem),
        }
    }

    /// The rules of step 2's form, with the datasets that were chosen; absent where there is no such draft, which its call
    /// says.
    pub async fn load_rules(&self, dataset_ids: &[String]) -> Result<Option<FormRules>, Problem> {
        let Ok(id) = Uuid::parse_str(&self.workflow_id) else { return Ok(None) };
        let (app, actor) = crate::auth::context()?;
        let steps = match calls::workflows::get(&app, &actor, id).await {
            Ok(answer) => answer.workflow_steps,
            Err(problem) if problem.kind == ProblemKind::NotFound => return Ok(None),
            Err(problem) => return Err(problem),
        };
        let mut datasets = Vec::new();
        for id in dataset_ids.iter().filter_map(|id| Uuid::parse_str(id).ok()) {
            match calls::datasets::get(&app, &actor, id).await {
                Ok(dataset) => datasets.push(OfferedDataset::from(&dataset)),
                Err(problem) if problem.kind == ProblemKind::NotFound => {}
                Err(problem) => return Err(problem),
            }
        }
        Ok(Some(FormRules::Load { concurrent_requests: steps.load.concurrent_requests, datasets }))
    }

    /// Tags from a line with commas. A tag that the draft has already keeps its colour.
    pub async fn tags(&mut self, line: &str) -> Value {
        let stored = self.stored_tags().await.unwrap_or_default();
        let tags = tag_names(line).map(|name| {
            stored.iter().find(|tag| tag.name == name).cloned().unwrap_or_else(|| Tag { name: name.to_owned(), color: None })
        });
        json!(tags.collect::<Vec<_>>())
    }

    async fn stored_tags(&self) -> Option<Vec<Tag>> {
        let id = Uuid::parse_str(&self.workflow_id).ok()?;
        let (app, actor) = crate::auth::context().ok()?;
        let answer = calls::workflows::get(&app, &actor, id).await.ok()?;
        Some(answer.workflow_steps.tags)
    }
}

async fn add_credential(
    app: &AppState,
    actor: &Actor,
    model: Option<Model>,
    name: String,
    secret: String,
) -> Result<Value, Problem> {
    let Some(ModelSource::Cloud { provider, base_url, .. }) = model.map(|model| model.source) else {
        return Err(Problem::field("credential_id", "This model is not a cloud model; it takes no credential."));
    };
    let needs_url = provider.preset().base_url.is_none();
    let base_url = needs_url.then_some(base_url);
    let created = calls::credentials::create(app, actor, &name, provider, secret, base_url).await.map_err(|mut problem| {
        // The form calls these fields by names of its own, beside the model's.
        for error in &mut problem.errors {
            error.field = match error.field.as_str() {
                "name" => "credential_name".to_owned(),
                "secret" => "credential_secret".to_owned(),
                _ => "credential_id".to_owned(),
            };
        }
        problem
    })?;
    Ok(json!(created.id))
}

/// A credential that was added for a step that did not take it would be left without its owner knowing.
async fn remove_unused(app: &AppState, actor: &Actor, credential: &Value) {
    let Ok(id) = serde_json::from_value::<Uuid>(credential.clone()) else { return };
    if let Err(problem) = calls::credentials::delete(app, actor, id).await {
        tracing::error!(credential.id = %id, %problem, "a credential that no draft took could not be removed");
    }
}

/// Where to go on: to the run, to the first incomplete page when the confirmation led here, else to the next page.
fn next(page: WizardPage, answer: &WorkflowAnswer, return_to: &str, dropped: &[String], passed: &[WizardPage]) -> String {
    if let Some(run) = answer.run_id {
        return format!("/runs/{run}");
    }
    let reached = answer.next_page();
    let following = WizardPage::VARIANTS.iter().copied().skip(page.number().into()).find(|page| !passed.contains(page));
    let following = following.unwrap_or(WizardPage::Execution);
    let to = if return_to == "confirm" { reached } else { following.min(reached) };
    let mut query = Vec::new();
    if !dropped.is_empty() {
        query.push(format!("dropped={}&by={}", dropped.join(","), page.into_str()));
    }
    if !passed.is_empty() {
        query.push(format!("passed={}", passed.iter().map(WizardPage::into_str).collect::<Vec<_>>().join(",")));
    }
    let path = format!("/wizard/{}/{}", answer.workflow_id, to.into_str());
    if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
}
