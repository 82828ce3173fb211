//! The stages of a run: icon, title, duration, message.

use leptos::prelude::*;

use crate::components::badge::StageBadge;
use crate::components::number::duration;
use crate::components::time::{Time, TimePrecision, between_ms};
use crate::domain::run::{Stage, StageStatus};

/// The stages in order.
pub fn stage_list(stages: &[Stage]) -> AnyView {
    view! { <ol class="stage-list">{stages.iter().map(|stage| stage_entry(stage, stage.message.clone(), None)).collect_view()}</ol> }.into_any()
}

/// One stage, with what is said of it and perhaps its log.
pub fn stage_entry(stage: &Stage, message: Option<String>, log: Option<AnyView>) -> AnyView {
    view! {
        <li data-status=stage.status.into_str()>
            <div class="row-between">
                <strong>{stage.title.clone()}</strong>
                <StageBadge status=stage.status />
            </div>
            {took(stage).map(|text| view! { <p class="muted small">{text}</p> })}
            {message.map(|message| view! { <p class="small stage-message">{message}</p> })}
            {log}
        </li>
    }
    .into_any()
}

/// How long a stage took, or since when it runs.
fn took(stage: &Stage) -> Option<AnyView> {
    let began = stage.started_at?;
    match (stage.status, stage.ended_at) {
        (_, Some(ended)) => Some(format!("took {}", duration(between_ms(began, ended))).into_any()),
        (StageStatus::Running, None) => Some(view! { "since " <Time at=began precision=TimePrecision::Clock /> }.into_any()),
        _ => None,
    }
}
