//! The logs of a run's stages. Those of running and failed stages open themselves, unless somebody has opened or closed
//! them by hand; a log follows its end only while that is in sight.

use leptos::html;
use leptos::prelude::*;

use crate::api::functions::runs::earlier_lines;
use crate::components::button::Look;
use crate::components::number::count;
use crate::domain::event::LogLevel;
use crate::domain::live::{Line, LiveRun};
use crate::domain::run::{StageId, StageStatus};

/// The logs, one a stage.
#[component]
pub fn Logs(
    /// The run so far.
    live: RwSignal<LiveRun>,
) -> impl IntoView {
    let (id, stages) = live.with_untracked(|live| {
        (live.run.id, live.run.stages.iter().map(|stage| (stage.id, stage.title.clone())).collect::<Vec<_>>())
    });
    view! {
        <section class="stack-tight" aria-labelledby="logs-title">
            <div class="row-between">
                <h2 id="logs-title">"Logs"</h2>
                <a href=format!("/api/v1/runs/{id}/log") download=format!("{id}.log") rel="external">
                    "Download"
                </a>
            </div>
            {stages.into_iter().map(|(stage, title)| view! { <StageLog live=live stage=stage title=title /> }).collect_view()}
        </section>
    }
    .into_any()
}

#[component]
fn StageLog(live: RwSignal<LiveRun>, stage: StageId, title: String) -> impl IntoView {
    let status =
        Memo::new(move |_| live.with(|live| live.run.stages.iter().find(|known| known.id == stage).map(|known| known.status)));
    // The newest line's number and how many there were: what tells that the log has grown.
    let grown = Memo::new(move |_| {
        live.with(|live| live.log(stage).map(|log| (log.lines.back().map(|line| line.seq), log.earlier, log.lines.len() as u64)))
    });
    let opens =
        Memo::new(move |_| matches!(status.get(), Some(StageStatus::Running | StageStatus::Failed)) && grown.get().is_some());
    let lines = move || {
        grown.track();
        live.with_untracked(|live| live.log(stage).map(|log| log.lines.iter().cloned().collect::<Vec<_>>())).unwrap_or_default()
    };
    let earlier = RwSignal::new(Vec::<Line>::new());
    let more = move || {
        grown.track();
        let first = earlier.with(|lines| lines.first().map(|line| line.seq));
        live.with_untracked(|live| live.log(stage).filter(|log| log.earlier > 0).map(|log| (first, log.earlier)))
    };
    let number = move || grown.get().map_or(0, |(_, earlier, kept)| earlier + kept);

    let details = NodeRef::<html::Details>::new();
    let box_ref = NodeRef::<html::Div>::new();
    let by_hand = StoredValue::new(false);
    let at_end = StoredValue::new(true);
    Effect::new(move |_| {
        let open = opens.get();
        if let Some(details) = details.get()
            && !by_hand.get_value()
        {
            details.set_open(open);
        }
    });
    Effect::new(move |_| {
        grown.track();
        if at_end.get_value() {
            request_animation_frame(move || {
                if let Some(area) = box_ref.get_untracked() {
                    area.set_scroll_top(area.scroll_height());
                }
            });
        }
    });
    let on_scroll = move |_| {
        if let Some(area) = box_ref.get_untracked() {
            at_end.set_value(area.scroll_top() + area.client_height() >= area.scroll_height() - 8);
        }
    };
    let load = Action::new(move |(): &()| async move {
        let (id, first) = live.with_untracked(|live| {
            let kept = live.log(stage).and_then(|log| log.lines.front().map(|line| line.seq));
            (live.run.id, earlier.with_untracked(|lines| lines.first().map(|line| line.seq)).or(kept))
        });
        let Some(first) = first else { return };
        if let Ok(mut found) = earlier_lines(id, stage, first).await {
            // What was loaded stays in place of what scrolls out.
            earlier.update(|lines| {
                found.append(lines);
                *lines = found;
            });
        }
    });
    let opened_first = opens.get_untracked();
    let label = format!("Log of {title}");
    view! {
        <details class="stage-log" node_ref=details open=opened_first hidden=move || grown.get().is_none()>
            <summary on:click=move |_| by_hand.set_value(true)>
                {title} <span class="muted small">{move || format!(" ({})", count(number(), "line", "lines"))}</span>
            </summary>
            <div class="log" node_ref=box_ref on:scroll=on_scroll tabindex="0" role="region" aria-label=label>
                {move || {
                    more()
                        .filter(|(first, _)| first.is_none_or(|first| first > 1))
                        .map(|_| {
                            view! {
                                <p>
                                    <button type="button" class=Look::Small.class() on:click=move |_| { load.dispatch(()); }>
                                        "Load earlier"
                                    </button>
                                </p>
                            }
                        })
                }}
                <ol>
                    <For each=move || earlier.get() key=|line| line.seq children=entry />
                    <For each=lines key=|line| line.seq children=entry />
                </ol>
            </div>
        </details>
    }
    .into_any()
}

fn entry(line: Line) -> impl IntoView {
    let (class, word) = match line.level {
        LogLevel::Info => ("log-line", None),
        LogLevel::Warning => ("log-line log-warning", Some("warning: ")),
        LogLevel::Error => ("log-line log-error", Some("error: ")),
    };
    view! {
        <li class=class>
            {word.map(|word| view! { <strong>{word}</strong> })}
            {line.text}
        </li>
    }
}
