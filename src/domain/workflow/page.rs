//! The wizard's eight pages. They differ from the API's steps: the credential sits inside of the model's page, and the
//! last page only shows the run.

use super::state::Draft;

/// A page of the wizard, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// Every page, in order.
    pub const ALL: [Self; 8] =
        [Self::Details, Self::Load, Self::Cluster, Self::Nodes, Self::Model, Self::Confirm, Self::Execution, Self::Deployment];

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

    /// From 1 to 8, as people count.
    pub fn number(self) -> u8 {
        self as u8 + 1
    }

    /// The name in URLs.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Details => "details",
            Self::Load => "load",
            Self::Cluster => "cluster",
            Self::Nodes => "nodes",
            Self::Model => "model",
            Self::Confirm => "confirm",
            Self::Execution => "execution",
            Self::Deployment => "deployment",
        }
    }

    /// Reads the name in URLs back.
    pub fn parse(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|page| page.slug() == slug)
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

    /// The page where a field is typed or chosen; absent for a name that no step has.
    pub fn of_field(field: &str) -> Option<Self> {
        super::fields::step_of(field).map(Self::of_step)
    }
}
