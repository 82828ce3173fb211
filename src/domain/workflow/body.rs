//! The JSON body of a call, read into typed fields. A body that can't be read names each field that is wrong; whether its
//! values fit the draft is for [`super::advance()`].

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::fields::{CALL, DETAILS, label, step_of};
use super::state::{FIRST_STEP, LAST_STEP};
use super::steps::{DetailsPatch, LoadPatch, ModelPatch, NodesPatch, details, load, model, nodes};
use crate::domain::problem::FieldError;

/// What a body does with a field. Fields that are left out stay as they are; `null` empties an optional one.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Patch<T> {
    /// Left out.
    #[default]
    Keep,
    /// `null`.
    Clear,
    /// A value.
    Set(T),
}

impl<T> Patch<T> {
    /// The value that was sent.
    pub fn set(&self) -> Option<&T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Keep | Self::Clear => None,
        }
    }

    /// Does it to a stored field.
    pub(super) fn apply(self, stored: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Clear => *stored = None,
            Self::Set(value) => *stored = Some(value),
        }
    }
}

/// Which call it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Begins a workflow.
    First {
        /// 8 or 9.
        total_steps: u8,
    },
    /// Goes on with one.
    Later {
        /// Which.
        workflow_id: Uuid,
    },
}

/// The fields of the body's own step.
#[derive(Debug, Clone, PartialEq)]
pub enum StepPatch {
    /// Step 1: nothing beside what every call carries.
    Details,
    /// Step 2.
    Load(Box<LoadPatch>),
    /// Step 3.
    Cluster(Patch<Uuid>),
    /// Step 4.
    Nodes(NodesPatch),
    /// Step 5.
    Model(Box<ModelPatch>),
    /// Step 6.
    Credential(Patch<Uuid>),
    /// Step 7.
    Confirmation(Patch<bool>),
    /// Step 8.
    Execution(Patch<bool>),
}

/// A body, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    /// First or later.
    pub call: Call,
    /// Which step it sends, 1 to 8.
    pub step: u8,
    /// The revision that the sender has seen.
    pub if_revision: Option<u64>,
    /// Whether the run is to be started.
    pub trigger: bool,
    /// What every call may carry.
    pub details: DetailsPatch,
    /// The fields of its step.
    pub step_patch: StepPatch,
    /// The fields that were sent, by their canonical names.
    pub sent: BTreeSet<String>,
}

impl Body {
    /// Reads a body.
    pub fn parse(value: &Value) -> Result<Self, Vec<FieldError>> {
        let Value::Object(fields) = value else {
            return Err(vec![FieldError::new("body", "The body must be a JSON object.")]);
        };
        let mut reader = Reader::new(fields);
        let step = reader.step();
        let call = reader.call(step);
        reader.refuse_foreign(step);
        let if_revision = reader.whole("if_revision", 1, 0, u64::MAX).set().copied();
        let trigger = reader.flag("trigger_workflow", LAST_STEP).set().copied().unwrap_or(false);
        let details = details::read(&mut reader, step.unwrap_or(FIRST_STEP));
        let step_patch = reader.step_patch(step.unwrap_or(FIRST_STEP));
        let errors = reader.errors;
        match (step, call) {
            (Some(step), Some(call)) if errors.is_empty() => {
                let sent = fields.keys().map(|field| canonical(field).to_owned()).collect();
                Ok(Self { call, step, if_revision, trigger, details, step_patch, sent })
            }
            _ => Err(errors),
        }
    }
}

/// Some fields have several spellings; this is the one that is answered.
fn canonical(field: &str) -> &str {
    match field {
        "datset_ids" | "datasets" => "dataset_ids",
        other => other,
    }
}

/// Reads fields one by one and collects what is wrong with them.
pub(super) struct Reader<'a> {
    fields: &'a Map<String, Value>,
    pub(super) errors: Vec<FieldError>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(fields: &'a Map<String, Value>) -> Self {
        Self { fields, errors: Vec::new() }
    }
}

impl Reader<'_> {
    fn step(&mut self) -> Option<u8> {
        match self.fields.get("step_number") {
            None | Some(Value::Null) => {
                self.errors.push(FieldError::new("step_number", "Say which step this is: step_number, 1 to 8."));
                None
            }
            Some(value) => {
                let step = super::steps::values::whole(value).and_then(|step| u8::try_from(step).ok());
                let step = step.filter(|step| (FIRST_STEP..=LAST_STEP).contains(step));
                if step.is_none() {
                    self.errors.push(FieldError::new("step_number", "Step number must be a whole number from 1 to 8."));
                }
                step
            }
        }
    }

    fn call(&mut self, step: Option<u8>) -> Option<Call> {
        let before = self.errors.len();
        let total_steps = self.whole("workflow_total_steps", 1, 8, 9);
        let workflow_id = self.id("workflow_id", 1);
        if self.errors.len() > before {
            return None;
        }
        let error = match (total_steps.set(), workflow_id.set()) {
            (Some(&total_steps), None) => match step {
                Some(FIRST_STEP) => return Some(Call::First { total_steps: total_steps as u8 }),
                Some(step) => {
                    FieldError::at(FIRST_STEP, "step_number", format!("A workflow begins with step 1; this is step {step}."))
                }
                // The step number has its own error already.
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
        self.errors.push(error);
        None
    }

    /// Unknown fields, and those of another step.
    fn refuse_foreign(&mut self, step: Option<u8>) {
        for field in self.fields.keys() {
            let field = field.as_str();
            if CALL.contains(&field) || DETAILS.contains(&field) {
                continue;
            }
            let error = match (step_of(field), step) {
                (None, _) => FieldError::new(field, format!("{field} is not a known field.")),
                (Some(theirs), Some(step)) if theirs != step => {
                    FieldError::at(theirs, field, format!("{field} belongs to step {theirs}; this is step {step}."))
                }
                (Some(_), _) => continue,
            };
            self.errors.push(error);
        }
    }

    fn step_patch(&mut self, step: u8) -> StepPatch {
        match step {
            2 => StepPatch::Load(Box::new(load::read(self))),
            3 => StepPatch::Cluster(self.id("cluster_id", 3)),
            4 => StepPatch::Nodes(nodes::read(self)),
            5 => StepPatch::Model(Box::new(model::read(self))),
            6 => StepPatch::Credential(self.id("credential_id", 6)),
            7 => StepPatch::Confirmation(self.flag("user_confirmation", 7)),
            8 => StepPatch::Execution(self.flag("run_as_simulation", 8)),
            _ => StepPatch::Details,
        }
    }

    /// Whether a field is there at all.
    pub(super) fn has(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    /// Reads a field; `read` answers a sentence about what is wrong.
    pub(super) fn field<T>(&mut self, field: &str, step: u8, read: impl FnOnce(&Value) -> Result<T, String>) -> Patch<T> {
        match self.fields.get(field) {
            None => Patch::Keep,
            Some(Value::Null) => Patch::Clear,
            Some(value) => match read(value) {
                Ok(value) => Patch::Set(value),
                Err(message) => {
                    self.errors.push(FieldError::at(step, field, message));
                    Patch::Keep
                }
            },
        }
    }

    /// A whole number within bounds.
    pub(super) fn whole(&mut self, field: &str, step: u8, least: u64, most: u64) -> Patch<u64> {
        self.field(field, step, |value| super::steps::values::whole_between(value, &super::fields::title(field), least, most))
    }

    /// A whole number within bounds that fit 32 bits.
    pub(super) fn whole32(&mut self, field: &str, step: u8, least: u32, most: u32) -> Patch<u32> {
        match self.whole(field, step, least.into(), most.into()) {
            Patch::Set(number) => Patch::Set(number as u32),
            Patch::Clear => Patch::Clear,
            Patch::Keep => Patch::Keep,
        }
    }

    /// True or false.
    pub(super) fn flag(&mut self, field: &str, step: u8) -> Patch<bool> {
        self.field(field, step, |value| value.as_bool().ok_or_else(|| format!("{field} must be true or false.")))
    }

    /// The id of something.
    pub(super) fn id(&mut self, field: &str, step: u8) -> Patch<Uuid> {
        self.field(field, step, |value| {
            super::steps::values::id(value).ok_or_else(|| format!("{field} must be the id of a {}.", label(field)))
        })
    }
}
