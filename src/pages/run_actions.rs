//! What can be done with a run: plain forms, which work with and without WASM, and a second step before anything is lost.

use leptos::prelude::*;
use server_fn::ServerFn;
use uuid::Uuid;

use crate::api::functions::benchmarks::{CopyToDraft, RunAgain};
use crate::api::functions::runs::{CancelRun, DeleteRun};
use crate::components::banner::{Banner, Notice};
use crate::components::button::{Look, Submit};
use crate::components::confirm::ConfirmForm;
use crate::components::form::FormNumber;
use crate::domain::form::Flash;
use crate::domain::run::Run;
use dyno_measure::run::{RunKind, RunStatus};

/// Which run, and where to go afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    pub run: Uuid,
    pub benchmark: Uuid,
    pub name: String,
    pub kind: RunKind,
    /// This page, for what is refused.
    pub here: String,
    /// The page after the run is deleted.
    pub after_delete: String,
}

impl Subject {
    /// A run on its own page.
    pub fn of_live(run: &Run, name: &str) -> Self {
        Self {
            run: run.id,
            benchmark: run.benchmark_id,
            name: name.to_owned(),
            kind: run.kind,
            here: format!("/runs/{}", run.id),
            after_delete: "/".to_owned(),
        }
    }
}

/// What was wrong with the last action, if anything.
#[component]
pub fn ActionRefused(
    /// As the server kept it.
    flash: Option<Flash>,
) -> impl IntoView {
    flash.filter(Flash::is_refusal).map(|flash| {
        view! {
            <Banner notice=Notice::Error>
                <p>{flash.detail}</p>
            </Banner>
        }
    })
}

/// Starts another run of the same benchmark.
#[component]
pub fn RunAgainForm(
    subject: Subject,
    /// How the button looks.
    #[prop(optional)]
    look: Look,
) -> impl IntoView {
    view! {
        <form method="post" action=RunAgain::url()>
            <FormNumber />
            <input type="hidden" name="id" value=subject.benchmark.to_string() />
            <input type="hidden" name="simulated" value=(subject.kind == RunKind::Simulated).to_string() />
            <input type="hidden" name="here" value=subject.here />
            <Submit text="Run again" look=look about=subject.name />
        </form>
    }
    .into_any()
}

/// Makes a draft with the same settings.
#[component]
pub fn CopyForm(
    subject: Subject,
    /// How the button looks.
    #[prop(optional)]
    look: Look,
) -> impl IntoView {
    view! {
        <form method="post" action=CopyToDraft::url()>
            <FormNumber />
            <input type="hidden" name="id" value=subject.benchmark.to_string() />
            <input type="hidden" name="here" value=subject.here />
            <Submit text="Copy to draft" look=look about=subject.name />
        </form>
    }
    .into_any()
}

/// Deletes the run, after a second step.
#[component]
pub fn DeleteForm(
    subject: Subject,
    /// How the button that opens the second step looks.
    #[prop(default = Look::Danger)]
    look: Look,
) -> impl IntoView {
    view! {
        <ConfirmForm
            action=DeleteRun::url()
            text="Delete run"
            about=subject.name
            sentence="This deletes the run, its report and its request records. It cannot be undone."
            fields=vec![("id", subject.run.to_string()), ("next", subject.after_delete)]
            look=look
        />
    }
}

/// Ends the run early, after a second step.
#[component]
pub fn CancelForm(
    run: Uuid,
    /// Where it stands; nothing is shown once it ended or was asked to.
    status: RunStatus,
) -> impl IntoView {
    matches!(status, RunStatus::Queued | RunStatus::Running).then(|| {
        view! {
            <ConfirmForm
                action=CancelRun::url()
                text="Cancel run"
                sentence="The load and the engine are stopped. What was measured until then is kept."
                fields=vec![("id", run.to_string())]
            />
        }
    })
}
