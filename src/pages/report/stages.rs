//! What each stage did, with the end of its log.

use std::collections::VecDeque;

use leptos::prelude::*;

use super::section::Section;
use crate::components::number::count;
use crate::domain::live::{LiveRun, LogEntry, StageLog};
use crate::domain::run::StageStatus;
use crate::pages::live::stage_entry;
use dyno_measure::events::LogLevel;

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
            // The banner above has the run's own reason.
            let message = stage.message.clone().filter(|message| reason.as_ref() != Some(message));
            stage_entry(stage, message, log.map(|log| log_view(log, open).into_any()))
        })
        .collect_view();
    view! {
        <Section id="stages" title="Stages and logs" panel=true>
            <div class="row">
                <a href=format!("/runs/{id}")>"Open the run's page"</a>
                <a href=format!("/api/v1/runs/{id}/log") download=format!("{id}.log")>
                    "Download the log"
                </a>
            </div>
            <ol class="stage-list">{stages}</ol>
        </Section>
    }
    .into_any()
}

/// A log without the lines that are told once more as the reason of an end; the first of each takes on how much it matters.
fn once(mut log: StageLog) -> StageLog {
    let mut lines: VecDeque<LogEntry> = VecDeque::new();
    for line in log.lines {
        let known = lines.iter_mut().find(|known| !line.text.trim().is_empty() && known.text.trim() == line.text.trim());
        match known {
            Some(known) if line.level == LogLevel::Error => known.level = line.level,
            Some(_) | None => lines.push_back(line),
        }
    }
    log.lines = lines;
    log
}

fn log_view(log: StageLog, open: bool) -> impl IntoView {
    let log = once(log);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::run::StageId;

    #[test]
    fn what_an_engine_said_last_is_told_once() {
        let line = |seq, level, text: &str| LogEntry { seq, level, text: text.to_owned() };
        let lines = [
            line(1, LogLevel::Info, "error: unexpected argument"),
            line(2, LogLevel::Info, ""),
            line(3, LogLevel::Info, "tick"),
            line(4, LogLevel::Info, "tick"),
            line(5, LogLevel::Error, "error: unexpected argument "),
            line(6, LogLevel::Error, "stopped"),
        ];
        let log = once(StageLog { stage: StageId::DeployToEngine, lines: lines.into(), earlier: 0 });
        let said: Vec<_> = log.lines.iter().map(|line| (line.level, line.text.as_str())).collect();
        assert_eq!(
            said,
            [
                (LogLevel::Error, "error: unexpected argument"),
                (LogLevel::Info, ""),
                (LogLevel::Info, "tick"),
                (LogLevel::Info, "tick"),
                (LogLevel::Error, "stopped"),
            ]
        );
    }
}
