//! Badges of status, kind and validity: icon, word and colour together.

use leptos::prelude::*;

use super::icon::{Icon, IconName};
use crate::domain::run::StageStatus;
use dyno_measure::run::{RunKind, RunStatus};

/// The colour family of a badge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Queued,
    Running,
    Succeeded,
    /// Amber: partly successful, needs attention.
    Partial,
    Failed,
    /// Grey: ended by a person.
    Cancelled,
    Interrupted,
    Simulated,
}

impl Tone {
    /// The class in the style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Self::Queued => "badge badge-queued",
            Self::Running => "badge badge-running",
            Self::Succeeded => "badge badge-succeeded",
            Self::Partial => "badge badge-partial",
            Self::Failed => "badge badge-failed",
            Self::Cancelled => "badge badge-cancelled",
            Self::Interrupted => "badge badge-interrupted",
            Self::Simulated => "badge badge-simulated",
        }
    }

    pub fn icon(self) -> IconName {
        match self {
            Self::Queued => IconName::Clock,
            Self::Running => IconName::Ring,
            Self::Succeeded => IconName::Tick,
            Self::Partial => IconName::HalfDisc,
            Self::Failed => IconName::Cross,
            Self::Cancelled => IconName::Slash,
            Self::Interrupted => IconName::BrokenLink,
            Self::Simulated => IconName::Wave,
        }
    }
}

/// The tone and word of a run's status.
pub fn run_look(status: RunStatus) -> (Tone, &'static str) {
    match status {
        RunStatus::Queued => (Tone::Queued, "Queued"),
        RunStatus::Running => (Tone::Running, "Running"),
        RunStatus::Cancelling => (Tone::Running, "Cancelling"),
        RunStatus::Succeeded => (Tone::Succeeded, "Succeeded"),
        RunStatus::Partial => (Tone::Partial, "Partial"),
        RunStatus::Failed => (Tone::Failed, "Failed"),
        RunStatus::Cancelled => (Tone::Cancelled, "Cancelled"),
        RunStatus::Interrupted => (Tone::Interrupted, "Interrupted"),
    }
}

/// The tone and word of a stage's status.
pub fn stage_look(status: StageStatus) -> (Tone, &'static str) {
    match status {
        StageStatus::Pending => (Tone::Queued, "Pending"),
        StageStatus::Running => (Tone::Running, "Running"),
        StageStatus::Succeeded => (Tone::Succeeded, "Succeeded"),
        StageStatus::Failed => (Tone::Failed, "Failed"),
        StageStatus::Skipped => (Tone::Cancelled, "Skipped"),
        StageStatus::Cancelled => (Tone::Cancelled, "Cancelled"),
    }
}

/// A badge with icon and word.
#[component]
pub fn Badge(tone: Tone, #[prop(into)] text: String) -> impl IntoView {
    view! {
        <span class=tone.class()>
            <Icon name=tone.icon() />
            <span>{text}</span>
        </span>
    }
    .into_any()
}

#[component]
pub fn RunBadge(status: RunStatus) -> impl IntoView {
    let (tone, text) = run_look(status);
    view! { <Badge tone=tone text=text /> }
}

#[component]
pub fn StageBadge(status: StageStatus) -> impl IntoView {
    let (tone, text) = stage_look(status);
    view! { <Badge tone=tone text=text /> }
}

#[component]
pub fn KindBadge(kind: RunKind) -> impl IntoView {
    match kind {
        // the normal kind: a plain badge without the icon for waiting
        RunKind::Measured => view! { <span class=Tone::Queued.class()>"Measured"</span> }.into_any(),
        RunKind::Simulated => view! { <Badge tone=Tone::Simulated text="Simulated" /> }.into_any(),
    }
}

/// Whether the figures are valid, judged by the client's health; empty before there are any.
#[component]
pub fn ValidityBadge(
    /// As in the report.
    valid: Option<bool>,
) -> impl IntoView {
    valid.map(|valid| {
        let (tone, text) = if valid { (Tone::Succeeded, "Client OK") } else { (Tone::Partial, "Not valid") };
        view! { <Badge tone=tone text=text.to_owned() /> }
    })
}

/// The badge of figures without a steady-state window.
#[component]
pub fn ShortBadge() -> impl IntoView {
    view! {
        <span class="badge-note" title="The load was not there steadily for 10 s and a tenth of the run.">
            <Badge tone=Tone::Partial text="Short".to_owned() />
        </span>
    }
}
