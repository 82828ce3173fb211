//! The logs of a run's stages. Those of running and failed stages open themselves, unless somebody has opened or closed
//! them by hand; a log follows its end only while that is in sight.

use leptos::prelude::*;
use uuid::Uuid;

use crate::components::button::Look;
use crate::components::number::count;
use crate::domain::live::{LiveRun, LogEntry, StageLog};
use crate::domain::run::{Stage, StageStatus};
use dyno_measure::events::LogLevel;

/// The logs, one a stage.
pub fn logs(live: &LiveRun) -> AnyView {
    let id = live.run.id;
    view! {
        <section class="stack-tight" aria-labelledby="logs-title">
            <div class="row-between">
                <h2 id="logs-title">"Logs"</h2>
                <a href=format!("/api/v1/runs/{id}/log") download=format!("{id}.log")>
                    "Download"
                </a>
            </div>
            {live.run.stages.iter().map(|stage| stage_log(id, stage, live.log(stage.id))).collect_view()}
        </section>
    }
    .into_any()
}

/// A stage's log; one without a line is hidden until there is one.
fn stage_log(run: Uuid, stage: &Stage, log: Option<&StageLog>) -> AnyView {
    let is_cut = log.is_some_and(|log| log.earlier > 0);
    let lines = log.map(|log| log.lines.iter().map(entry).collect_view());
    view! {
        <details class="stage-log" id=format!("log-{}", stage.id.into_str()) open=opens(stage) && log.is_some() hidden=log.is_none()>
            <summary>
                {stage.title.clone()} " " <span class="muted small" data-count>{format!("({})", length(log))}</span>
            </summary>
            <div class="log" tabindex="0" role="region" aria-label=format!("Log of {}", stage.title)>
                <p data-more hidden=!is_cut>
                    <button type="button" class=Look::Small.class()>
                        "Load earlier"
                    </button>
                    <noscript>
                        <a href=format!("/api/v1/runs/{run}/log")>"All lines"</a>
                    </noscript>
                </p>
                <ol>{lines}</ol>
            </div>
        </details>
    }
    .into_any()
}

/// Whether a stage's log opens by itself.
pub fn opens(stage: &Stage) -> bool {
    matches!(stage.status, StageStatus::Running | StageStatus::Failed)
}

/// `12 lines`
pub fn length(log: Option<&StageLog>) -> String {
    count(log.map_or(0, |log| log.earlier + log.lines.len() as u64), "line", "lines")
}

pub fn entry(line: &LogEntry) -> AnyView {
    let (class, word) = match line.level {
        LogLevel::Info => ("log-line", None),
        LogLevel::Warning => ("log-line log-warning", Some("warning: ")),
        LogLevel::Error => ("log-line log-error", Some("error: ")),
    };
    view! {
        <li class=class data-seq=line.seq.to_string()>
            {word.map(|word| view! { <strong>{word}</strong> })}
            {line.text.clone()}
        </li>
    }
    .into_any()
}
