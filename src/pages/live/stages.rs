//! The stages of a run: icon, title, duration, message.

use leptos::prelude::*;

use crate::components::badge::StageBadge;
use crate::components::number::duration;
use crate::components::time::{between_ms, clock};
use crate::domain::live::LiveRun;
use crate::domain::run::{Stage, StageId, StageStatus};

/// The stages in order; each follows the run.
#[component]
pub fn StageList(
    /// The run so far.
    live: RwSignal<LiveRun>,
) -> impl IntoView {
    let ids: Vec<StageId> = live.with_untracked(|live| live.run.stages.iter().map(|stage| stage.id).collect());
    view! {
        <section class="panel live-stages" aria-labelledby="stages-title">
            <h2 id="stages-title">"Stages"</h2>
            <ol class="stage-list">
                {ids
                    .into_iter()
                    .map(|id| {
                        let stage = Memo::new(move |_| {
                            live.with(|live| live.run.stages.iter().find(|stage| stage.id == id).cloned())
                                .unwrap_or_else(|| Stage::pending(id))
                        });
                        view! { <StageEntry stage=stage /> }
                    })
                    .collect_view()}
            </ol>
        </section>
    }
    .into_any()
}

#[component]
fn StageEntry(stage: Memo<Stage>) -> impl IntoView {
    let status = Memo::new(move |_| stage.with(|stage| stage.status));
    view! {
        <li data-status=move || status.get().as_str()>
            <div class="row-between">
                <strong>{stage.with_untracked(|stage| stage.title.clone())}</strong>
                <StageBadge status=status />
            </div>
            {move || stage.with(took).map(|text| view! { <p class="muted small">{text}</p> })}
            {move || {
                stage.with(|stage| stage.message.clone()).map(|message| view! { <p class="small stage-message">{message}</p> })
            }}
        </li>
    }
    .into_any()
}

/// How long a stage took, or since when it runs. No clock is asked, so that server and browser say the same.
pub fn took(stage: &Stage) -> Option<String> {
    let began = stage.started_at?;
    match (stage.status, stage.ended_at) {
        (_, Some(ended)) => Some(format!("took {}", duration(between_ms(began, ended)))),
        (StageStatus::Running, None) => Some(format!("since {} UTC", clock(began))),
        _ => None,
    }
}
