//! Answers to the workflow's calls.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strum::VariantArray as _;
use uuid::Uuid;

use super::page::WizardPage;
use super::state::{Draft, WorkflowSteps};
use crate::domain::problem::FieldError;
use crate::domain::run::Run;
use dyno_measure::run::RunStatus;

/// Where a workflow stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum WorkflowStatus {
    /// Until its run ends.
    InProgress,
    Completed,
    /// Its run ended early, or without anything usable.
    Failed,
    /// Its run was cancelled.
    Cancelled,
}

impl WorkflowStatus {
    /// The status that follows from the run.
    pub fn of_run(run: Option<RunStatus>) -> Self {
        match run {
            None | Some(RunStatus::Queued | RunStatus::Running | RunStatus::Cancelling) => Self::InProgress,
            Some(RunStatus::Succeeded) => Self::Completed,
            // a partial run has measurements, but was not executed as requested: not a success
            Some(RunStatus::Partial | RunStatus::Failed | RunStatus::Interrupted) => Self::Failed,
            Some(RunStatus::Cancelled) => Self::Cancelled,
        }
    }
}

/// The answer to each call of the workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct WorkflowAnswer {
    pub workflow_id: Uuid,
    pub status: WorkflowStatus,
    /// Rises with each change; send it back as `if_revision`.
    pub revision: u64,
    /// The next step to send, as the API counts them.
    pub current_step: u8,
    /// As the first call gave it: 8 or 9.
    pub total_steps: u8,
    /// Why its run ended, for any end other than succeeded.
    pub reason: Option<String>,
    /// The names of the fields that the change took with it.
    pub dropped: Vec<String>,
    /// What stands in the way of a measured run at present, though not of a simulation, and what is suggested; each with its
    /// field and step.
    #[serde(default)]
    pub warnings: Vec<FieldError>,
    /// Everything that the steps hold, flat, with the request's field names.
    pub workflow_steps: WorkflowSteps,
    /// What the last step froze.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub benchmark_id: Option<Uuid>,
    /// The run that the last step started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
}

impl WorkflowAnswer {
    /// The answer for a draft and its run, if started.
    pub fn new(draft: &Draft, dropped: Vec<String>, run: Option<Run>) -> Self {
        Self {
            workflow_id: draft.id,
            status: WorkflowStatus::of_run(run.as_ref().map(|run| run.status)),
            revision: draft.revision,
            current_step: draft.current_step(),
            total_steps: draft.total_steps,
            reason: run.as_ref().and_then(|run| run.reason.clone()),
            dropped,
            warnings: Vec::new(),
            workflow_steps: draft.steps.clone(),
            benchmark_id: draft.benchmark_id,
            run_id: draft.run_id,
            run,
        }
    }

    #[must_use]
    pub fn warning_of(mut self, warnings: Vec<FieldError>) -> Self {
        self.warnings = warnings;
        self
    }

    /// The wizard's next page.
    pub fn next_page(&self) -> WizardPage {
        if self.run_id.is_some() { WizardPage::Deployment } else { WizardPage::of_step(self.current_step) }
    }
}

/// A draft in the list: enough to say "Continue: Nodes (4 of 8)".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct WorkflowRow {
    pub workflow_id: Uuid,
    pub name: String,
    /// The next step to send, as the API counts them.
    pub current_step: u8,
    /// The next page's title, `Nodes` say.
    pub next_page: String,
    /// The next page's number, from 1.
    pub next_page_number: u8,
    /// How many pages the wizard has.
    pub pages: u8,
    /// Rises with each change.
    pub revision: u64,
    /// When it was begun.
    #[cfg_attr(feature = "ssr", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
    /// When anything changed last.
    #[cfg_attr(feature = "ssr", schema(value_type = String, format = DateTime))]
    pub updated_at: Timestamp,
}

impl WorkflowRow {
    /// The row of a draft.
    pub fn new(draft: &Draft) -> Self {
        let page = WizardPage::next_of(draft);
        Self {
            workflow_id: draft.id,
            name: draft.steps.name.clone(),
            current_step: draft.current_step(),
            next_page: page.title().to_owned(),
            next_page_number: page.number(),
            pages: WizardPage::VARIANTS.len() as u8,
            revision: draft.revision,
            created_at: draft.created_at,
            updated_at: draft.updated_at,
        }
    }
}
