//! Applies a body to a draft, completely or not at all.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::body::{Body, Call, StepPatch};
use super::facts::Facts;
use super::fields::labels;
use super::freeze::freeze;
use super::page::WizardPage;
use super::state::{Draft, LAST_STEP, SCHEMA_VERSION};
use super::steps::{cluster, confirmation, credential, details, execution, load, load_pods, model, nodes};
use crate::domain::benchmark::BenchmarkSpec;
use crate::domain::problem::{FieldError, Problem};

/// The owner and the time of a call, and the id of a new draft; supplied by the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The id of a draft that this call begins.
    pub new_id: Uuid,
    pub owner: Uuid,
    pub now: Timestamp,
}

/// The result of an accepted body.
#[derive(Debug, Clone, PartialEq)]
pub struct Advance {
    pub draft: Draft,
    /// Whether anything differs from before, so that it has to be saved.
    pub is_changed: bool,
    /// The fields that the change dropped, sorted by name.
    pub dropped: Vec<String>,
    /// Obstacles to a measured run that do not prevent a simulation, and suggestions.
    pub warnings: Vec<FieldError>,
    /// The benchmark to be started now.
    pub start: Option<BenchmarkSpec>,
}

/// Why a body was not applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    Invalid(Vec<FieldError>),
    /// The draft has changed since the sender saw it.
    Stale {
        /// The fields that changed since.
        changed: Vec<String>,
    },
    /// Its run has been started: it can't be edited any more.
    Started,
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Invalid(errors) => Self::invalid(errors),
            Refusal::Stale { changed } => {
                let detail = if changed.is_empty() {
                    "This draft was changed elsewhere meanwhile. Nothing was saved.".to_owned()
                } else {
                    format!("This draft was changed elsewhere meanwhile: {}. Nothing was saved.", labels(&changed))
                };
                let mut problem = Self::conflict(detail);
                problem.changed = Some(changed);
                problem
            }
            Refusal::Started => {
                Self::conflict("This workflow has started its run and can't be changed. Copy its benchmark to a new draft.")
            }
        }
    }
}

pub fn advance(draft: Option<&Draft>, body: &Body, facts: &Facts, stamp: &Stamp) -> Result<Advance, Refusal> {
    match (draft, body.call) {
        (None, Call::First { total_steps }) => begin(body, total_steps, stamp),
        (Some(draft), Call::Later { .. }) => go_on(draft, body, facts, stamp),
        (None, Call::Later { .. }) | (Some(_), Call::First { .. }) => {
            Err(Refusal::Invalid(vec![FieldError::new("workflow_id", "There is no such workflow.")]))
        }
    }
}

fn begin(body: &Body, total_steps: u8, stamp: &Stamp) -> Result<Advance, Refusal> {
    let mut errors = Vec::new();
    refuse_early_trigger(body, &mut errors);
    if body.if_revision.is_some() {
        errors.push(FieldError::new("if_revision", "A new workflow has no revision yet; leave if_revision out."));
    }
    match details::create(&body.details, &mut errors) {
        Some(steps) if errors.is_empty() => {
            let field_revisions = steps.fields().keys().map(|field| (field.clone(), 1)).collect();
            let draft = Draft {
                schema_version: SCHEMA_VERSION,
                id: stamp.new_id,
                owner: stamp.owner,
                revision: 1,
                total_steps,
                steps,
                cluster_kind: None,
                provider: None,
                credential_skipped: false,
                field_revisions,
                benchmark_id: None,
                run_id: None,
                created_at: stamp.now,
                updated_at: stamp.now,
            };
            Ok(Advance { draft, is_changed: true, dropped: Vec::new(), warnings: Vec::new(), start: None })
        }
        _ => Err(Refusal::Invalid(errors)),
    }
}

fn go_on(before: &Draft, body: &Body, facts: &Facts, stamp: &Stamp) -> Result<Advance, Refusal> {
    if before.run_id.is_some() {
        // a repeated last step returns the run that was started, whatever else the body says
        return if body.step == LAST_STEP {
            let draft = before.clone();
            Ok(Advance { draft, is_changed: false, dropped: Vec::new(), warnings: Vec::new(), start: None })
        } else {
            Err(Refusal::Started)
        };
    }
    if body.if_revision.is_some_and(|seen| seen != before.revision) {
        let changed = before.changed_since(body.if_revision.unwrap_or_default());
        return Err(Refusal::Stale { changed });
    }

    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    let mut draft = before.clone();
    refuse_early_trigger(body, &mut errors);
    details::apply(&mut draft.steps, &body.details, &mut errors);
    if draft.steps != before.steps {
        draft.steps.user_confirmation = false;
    }
    match draft.missing_before(body.step) {
        Some(missing) => errors.push(skipped(missing, body.step, before)),
        None => apply_step(&mut draft, body, facts, &mut errors, &mut warnings),
    }
    if errors.is_empty() {
        // steps 1, 2 and 4 all have a say in it
        load_pods::check_split(&draft.steps, &mut errors);
    }
    if !errors.is_empty() {
        return Err(Refusal::Invalid(errors));
    }
    // a change withdraws the confirmation; steps 7 and 8 change nothing that is confirmed
    if body.step < 7 && draft.steps != before.steps {
        draft.steps.user_confirmation = false;
    }

    let (old, new) = (before.steps.fields(), draft.steps.fields());
    let dropped = old.keys().filter(|field| !new.contains_key(*field) && !body.sent.contains(*field)).cloned().collect();
    let is_changed = draft != *before;
    if is_changed {
        draft.revision += 1;
        draft.updated_at = stamp.now;
        note_changes(&mut draft.field_revisions, draft.revision, &old, &new);
    }
    let start = if body.trigger { Some(freeze(&draft, facts).map_err(Refusal::Invalid)?) } else { None };
    Ok(Advance { draft, is_changed, dropped, warnings, start })
}

fn apply_step(draft: &mut Draft, body: &Body, facts: &Facts, errors: &mut Vec<FieldError>, warnings: &mut Vec<FieldError>) {
    match &body.step_patch {
        StepPatch::Details => {}
        StepPatch::Load(patch) => load::apply(&mut draft.steps, patch, facts, errors),
        StepPatch::Cluster(patch) => cluster::apply(draft, patch, facts, errors, warnings),
        StepPatch::Nodes(patch) => nodes::apply(&mut draft.steps, patch, facts, errors, warnings),
        StepPatch::Model(patch) => model::apply(draft, patch, facts, errors, warnings),
        StepPatch::Credential(patch) => credential::apply(draft, patch, facts, errors),
        StepPatch::Confirmation(patch) => confirmation::apply(draft, patch, errors),
        StepPatch::Execution(patch) => execution::apply(draft, patch, errors),
    }
}

fn refuse_early_trigger(body: &Body, errors: &mut Vec<FieldError>) {
    if body.trigger && body.step < LAST_STEP {
        let message = format!("The run is started by step 8, once the benchmark is confirmed; this is step {}.", body.step);
        errors.push(FieldError::at(LAST_STEP, "trigger_workflow", message));
    }
}

/// The error for a step that was left out; it says so where this very body withdrew the confirmation.
fn skipped(missing: u8, step: u8, before: &Draft) -> FieldError {
    let title = WizardPage::of_step(missing).title();
    let (field, message) = match missing {
        7 if before.steps.user_confirmation => (
            "user_confirmation",
            "This body changes what was confirmed. Save the change first, then confirm again with step 7.".to_owned(),
        ),
        7 => ("user_confirmation", "Confirm the benchmark first: step 7.".to_owned()),
        6 => ("step_number", format!("Step 6 comes before step {step}: choose a credential.")),
        _ => ("step_number", format!("Step {missing} ({title}) comes before step {step}.")),
    };
    FieldError::at(missing, field, message)
}

fn note_changes(revisions: &mut BTreeMap<String, u64>, revision: u64, old: &Map<String, Value>, new: &Map<String, Value>) {
    for field in old.keys().chain(new.keys()) {
        if old.get(field) != new.get(field) {
            revisions.insert(field.clone(), revision);
        }
    }
}
