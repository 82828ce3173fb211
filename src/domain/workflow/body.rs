//! Parses the JSON body of a call into typed fields. A body that can't be parsed gets an error for each invalid field; whether
//! the values fit the draft is checked by [`super::advance()`].

use std::collections::BTreeSet;

use serde_json::Value;
use uuid::Uuid;

use super::fields::{CALL, DATASET_ALIASES, DETAILS, step_of};
use super::reader::{Patch, Reader};
use super::state::{FIRST_STEP, LAST_STEP};
use super::steps::{DetailsPatch, LoadPatch, ModelPatch, NodesPatch, details, load, model, nodes};
use crate::domain::problem::FieldError;
use dyno_measure::load::values::whole;

/// Errors of a body that are listed.
const MOST_ERRORS: usize = 50;
/// Characters of an unknown field's name that are repeated.
const MOST_NAME: usize = 100;

/// Whether a call begins a draft or continues one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    First {
        /// 8 or 9.
        total_steps: u8,
    },
    /// Continues a draft.
    Later { workflow_id: Uuid },
}

/// The fields of the body's own step.
#[derive(Debug, Clone, PartialEq)]
pub enum StepPatch {
    /// Step 1, whose fields every call may have.
    Details,
    Load(Box<LoadPatch>),
    Cluster(Patch<Uuid>),
    Nodes(NodesPatch),
    Model(Box<ModelPatch>),
    Credential(Patch<Uuid>),
    Confirmation(Patch<bool>),
    Execution(Patch<bool>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    pub call: Call,
    /// Which step it sends, 1 to 8.
    pub step: u8,
    /// The revision that the sender last saw.
    pub if_revision: Option<u64>,
    /// Whether to start the run.
    pub trigger: bool,
    /// The fields of step 1, which every call may have.
    pub details: DetailsPatch,
    /// The fields of its step.
    pub step_patch: StepPatch,
    /// The fields that were sent, by their canonical names.
    pub sent: BTreeSet<String>,
}

impl Body {
    pub fn parse(value: &Value) -> Result<Self, Vec<FieldError>> {
        let Value::Object(fields) = value else {
            return Err(vec![FieldError::new("body", "The body must be a JSON object.")]);
        };
        let mut reader = Reader::new(fields);
        let step = step_number(&mut reader);
        let call = call(&mut reader, step);
        refuse_foreign(&mut reader, step);
        let if_revision = reader.whole("if_revision", 1, 0, u64::MAX).set().copied();
        let trigger = reader.flag("trigger_workflow", LAST_STEP).set().copied().unwrap_or(false);
        let details = details::read(&mut reader, step.unwrap_or(FIRST_STEP));
        let step_patch = step_patch(&mut reader, step.unwrap_or(FIRST_STEP));
        let mut errors = reader.errors;
        shorten(&mut errors);
        match (step, call) {
            (Some(step), Some(call)) if errors.is_empty() => {
                let sent = fields.keys().map(|field| canonical(field).to_owned()).collect();
                Ok(Self { call, step, if_revision, trigger, details, step_patch, sent })
            }
            _ => Err(errors),
        }
    }
}

/// The canonical spelling of a field that has aliases.
fn canonical(field: &str) -> &str {
    if DATASET_ALIASES.contains(&field) { "dataset_ids" } else { field }
}

fn step_number(reader: &mut Reader<'_>) -> Option<u8> {
    match reader.fields.get("step_number") {
        None | Some(Value::Null) => {
            reader.errors.push(FieldError::new("step_number", "Say which step this is: step_number, 1 to 8."));
            None
        }
        Some(value) => {
            let step = whole(value).and_then(|step| u8::try_from(step).ok());
            let step = step.filter(|step| (FIRST_STEP..=LAST_STEP).contains(step));
            if step.is_none() {
                reader.errors.push(FieldError::new("step_number", "Step number must be a whole number from 1 to 8."));
            }
            step
        }
    }
}

fn call(reader: &mut Reader<'_>, step: Option<u8>) -> Option<Call> {
    let before = reader.errors.len();
    let total_steps = reader.whole("workflow_total_steps", 1, 8, 9);
    let workflow_id = reader.id("workflow_id", 1);
    if reader.errors.len() > before {
        return None;
    }
    let error = match (total_steps.set(), workflow_id.set()) {
        (Some(&total_steps), None) => match step {
            Some(FIRST_STEP) => return Some(Call::First { total_steps: total_steps as u8 }),
            Some(step) => {
                FieldError::at(FIRST_STEP, "step_number", format!("A workflow begins with step 1; this is step {step}."))
            }
            // an invalid step number has been reported already
            None => return None,
        },
        (None, Some(&workflow_id)) => return Some(Call::Later { workflow_id }),
        (Some(_), Some(_)) => FieldError::new(
            "workflow_total_steps",
            "Send workflow_total_steps with the first call only and workflow_id with later ones, not both.",
        ),
        (None, None) => {
            FieldError::new("workflow_id", "Send workflow_id to go on with a workflow, or workflow_total_steps to begin one.")
        }
    };
    reader.errors.push(error);
    None
}

/// Reports unknown fields, and those of another step.
fn refuse_foreign(reader: &mut Reader<'_>, step: Option<u8>) {
    for field in reader.fields.keys() {
        let field = field.as_str();
        if CALL.contains(&field) || DETAILS.contains(&field) {
            continue;
        }
        let error = match (step_of(field), step) {
            (None, _) => {
                let shown: String = field.chars().take(MOST_NAME).collect();
                let message = format!("{shown} is not a known field.");
                FieldError::new(shown, message)
            }
            (Some(theirs), Some(step)) if theirs != step => {
                FieldError::at(theirs, field, format!("{field} belongs to step {theirs}; this is step {step}."))
            }
            (Some(_), _) => continue,
        };
        reader.errors.push(error);
        if reader.errors.len() > MOST_ERRORS {
            return;
        }
    }
}

/// Cuts a long list of errors, and says so.
fn shorten(errors: &mut Vec<FieldError>) {
    if errors.len() > MOST_ERRORS {
        errors.truncate(MOST_ERRORS);
        errors.push(FieldError::new("body", "There are more errors. These are the first."));
    }
}

fn step_patch(reader: &mut Reader<'_>, step: u8) -> StepPatch {
    match step {
        2 => StepPatch::Load(Box::new(load::read(reader))),
        3 => StepPatch::Cluster(reader.id("cluster_id", 3)),
        4 => StepPatch::Nodes(nodes::read(reader)),
        5 => StepPatch::Model(Box::new(model::read(reader))),
        6 => StepPatch::Credential(reader.id("credential_id", 6)),
        7 => StepPatch::Confirmation(reader.flag("user_confirmation", 7)),
        8 => StepPatch::Execution(reader.flag("run_as_simulation", 8)),
        _ => StepPatch::Details,
    }
}
