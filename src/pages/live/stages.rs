//! The stages of a run: icon, title, duration, message.

use leptos::prelude::*;

use crate::components::badge::StageBadge;
use crate::components::number::duration;
use crate::components::time::{between_ms, clock};
use crate::domain::run::{Stage, StageStatus};

/// The stages in order.
pub fn stage_list(stages: &[Stage]) -> AnyView {
    view! { <ol class="stage-list">{stages.iter().map(stage_entry).collect_view()}</ol> }.into_any()
}

fn stage_entry(stage: &Stage) -> AnyView {
    view! {
        <li data-status=stage.status.as_str()>
            <div class="row-between">
                <strong>{stage.title.clone()}</strong>
                <StageBadge status=stage.status />
            </div>
            {took(stage).map(|text| view! { <p class="muted small">{text}</p> })}
            {stage.message.clone().map(|message| view! { <p class="small stage-message">{message}</p> })}
        </li>
    }
    .into_any()
}

/// How long a stage took, or since when it runs.
pub fn took(stage: &Stage) -> Option<String> {
    let began = stage.started_at?;
    match (stage.status, stage.ended_at) {
        (_, Some(ended)) => Some(format!("took {}", duration(between_ms(began, ended)))),
        (StageStatus::Running, None) => Some(format!("since {} UTC", clock(began))),
        _ => None,
    }
}
