//! The wizard's eight pages. They differ from the API's steps: the credential is part of the model's page, and the last page
//! only shows the run.

use super::state::Draft;

/// A page of the wizard, in order.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, strum::EnumString, strum::IntoStaticStr, strum::VariantArray,
)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum WizardPage {
    Details,
    Load,
    Cluster,
    Nodes,
    /// API steps 5 and 6.
    Model,
    Confirm,
    Execution,
    /// The run, once it is started.
    Deployment,
}

impl WizardPage {
    pub fn title(self) -> &'static str {
        match self {
            Self::Details => "Details",
            Self::Load => "Load",
            Self::Cluster => "Cluster",
            Self::Nodes => "Nodes",
            Self::Model => "Model",
            Self::Confirm => "Confirm",
            Self::Execution => "Simulate or run",
            Self::Deployment => "Deployment",
        }
    }

    /// From 1 to 8.
    pub fn number(self) -> u8 {
        self as u8 + 1
    }

    /// The page of an API step.
    pub fn of_step(step: u8) -> Self {
        match step {
            0 | 1 => Self::Details,
            2 => Self::Load,
            3 => Self::Cluster,
            4 => Self::Nodes,
            5 | 6 => Self::Model,
            7 => Self::Confirm,
            _ => Self::Execution,
        }
    }

    /// The first page that is not complete: where a draft is resumed.
    pub fn next_of(draft: &Draft) -> Self {
        if draft.run_id.is_some() { Self::Deployment } else { Self::of_step(draft.current_step()) }
    }

    /// The page of a field; `None` for unknown names.
    pub fn of_field(field: &str) -> Option<Self> {
        super::fields::step_of(field).map(Self::of_step)
    }
}
