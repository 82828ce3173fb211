//! What each stage did, with the end of its log.

use leptos::prelude::*;

use super::section::Section;
use crate::components::badge::StageBadge;
use crate::components::number::count;
use crate::domain::event::LogLevel;
use crate::domain::live::{LiveRun, StageLog};
use crate::domain::run::StageStatus;
use crate::pages::live::took;

/// The stages of a run that ended.
#[component]
pub fn Stages(
    /// The run, with the ends of its logs.
    live: LiveRun,
) -> impl IntoView {
    let id = live.run.id;
    let reason = live.run.reason.clone();
    let stages = live
        .run
        .stages
        .iter()
        .map(|stage| {
            let log = live.log(stage.id).cloned();
            let open = stage.status == StageStatus::Failed;
            view! {
                <li data-status=stage.status.as_str()>
                    <div class="row-between">
                        <strong>{stage.title.clone()}</strong>
                        <StageBadge status=stage.status />
                    </div>
                    {took(stage).map(|text| view! { <p class="muted small">{text}</p> })}
                    // The banner above has the run's own reason.
                    {stage.message.clone().filter(|message| reason.as_ref() != Some(message)).map(|message| view! { <p class="small stage-message">{message}</p> })}
                    {log.map(|log| log_view(log, open))}
                </li>
            }
        })
        .collect_view();
    view! {
        <Section id="stages" title="Stages and logs" panel=true>
            <div class="row">
                <a href=format!("/runs/{id}")>"Open the run's page"</a>
                <a href=format!("/api/v1/runs/{id}/log") download=format!("{id}.log") rel="external">
                    "Download the log"
                </a>
            </div>
            <ol class="stage-list">{stages}</ol>
        </Section>
    }
    .into_any()
}

fn log_view(log: StageLog, open: bool) -> impl IntoView {
    let number = log.lines.len() as u64;
    let title = if log.earlier > 0 {
        format!("Log, the last {}", count(number, "line", "lines"))
    } else {
        format!("Log, {}", count(number, "line", "lines"))
    };
    let label = title.clone();
    view! {
        <details class="stage-log" open=open>
            <summary>{title}</summary>
            <div class="log" tabindex="0" role="region" aria-label=label>
                <ol>
                    {log.lines
                        .into_iter()
                        .map(|line| {
                            let class = match line.level {
                                LogLevel::Info => "log-line",
                                LogLevel::Warning => "log-line log-warning",
                                LogLevel::Error => "log-line log-error",
                            };
                            view! { <li class=class>{line.text}</li> }
                        })
                        .collect_view()}
                </ol>
            </div>
        </details>
    }
}
