//! Badges of status, kind and validity: icon, word and colour together.

use leptos::prelude::*;
use strum::VariantArray as _;

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

/// What is to be thought of a run's figures; each opens a sentence that says what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::VariantArray)]
pub enum FiguresMark {
    ClientOk,
    ClientNotChecked,
    NotValid,
    /// Without a steady-state window.
    Short,
}

impl FiguresMark {
    /// Of a measured run: whether its figures are valid, and whether the client was checked before.
    pub fn of_client(valid: bool, checked: bool) -> Self {
        match (valid, checked) {
            (true, true) => Self::ClientOk,
            (true, false) => Self::ClientNotChecked,
            (false, _) => Self::NotValid,
        }
    }

    fn tip(self) -> &'static str {
        match self {
            Self::ClientOk => "tip-client-ok",
            Self::ClientNotChecked => "tip-client-not-checked",
            Self::NotValid => "tip-not-valid",
            Self::Short => "tip-short",
        }
    }

    fn look(self) -> (Tone, &'static str) {
        match self {
            Self::ClientOk => (Tone::Succeeded, "Client OK"),
            Self::ClientNotChecked => (Tone::Queued, "Client not checked"),
            Self::NotValid => (Tone::Partial, "Not valid"),
            Self::Short => (Tone::Partial, "Short"),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::ClientOk => {
                "The client that measured was checked against known times before the run, and was not the bottleneck during it. The report's section on the client has the figures."
            }
            Self::ClientNotChecked => {
                "The client was not the bottleneck during the run; its own times were not checked before it. The report's section on the client says why."
            }
            Self::NotValid => {
                "The client that measured was the bottleneck, or its records contradict each other: the figures say little of the engine. The report has the reasons."
            }
            Self::Short => {
                "The load was not there steadily for 10 s and a tenth of the run, so there is no steady-state window. The figures are of the whole load, its beginning and end included."
            }
        }
    }
}

/// A mark that opens what it means. Needs [`FiguresMarkTips`] on the page.
#[component]
pub fn FiguresBadge(mark: FiguresMark) -> impl IntoView {
    let (tone, text) = mark.look();
    view! {
        <button type="button" class="term badge-term" popovertarget=mark.tip()>
            <Badge tone=tone text=text />
            <span class="visually-hidden">": what it means"</span>
        </button>
    }
    .into_any()
}

/// What the marks mean, once per page.
#[component]
pub fn FiguresMarkTips() -> impl IntoView {
    let tips = FiguresMark::VARIANTS.iter().map(|mark| {
        let name = mark.look().1;
        view! {
            <div popover="auto" id=mark.tip() class="tip" role="note" aria-label=name>
                <p class="tip-name">{name}</p>
                <p>{mark.words()}</p>
            </div>
        }
    });
    tips.collect_view().into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_of_figures_opens_its_meaning() {
        let tips = view! { <FiguresMarkTips /> }.to_html();
        for mark in FiguresMark::VARIANTS {
            let html = view! { <FiguresBadge mark=*mark /> }.to_html();
            assert!(html.contains(&format!(r#"popovertarget="{}""#, mark.tip())) && !html.contains("title="), "{html}");
            assert!(tips.contains(&format!(r#"id="{}""#, mark.tip())), "{tips}");
        }
    }
}
