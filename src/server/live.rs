//! Live updates of a run's page: a stream of re-rendered parts, and earlier lines of its logs.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream};
use leptos::prelude::{AnyView, Owner, RenderHtml, provide_context};
use serde::Deserialize;
use tokio::sync::watch;
use uuid::Uuid;

use crate::api::calls::{benchmarks, runs};
use crate::api::functions::forms::Zone;
use crate::api::functions::runs::SNAPSHOTS;
use crate::api::rest::{self, Path, Query, last_event_id};
use crate::auth::{Caller, SignedIn, still_signed_in};
use crate::components::badge::{run_look, stage_look};
use crate::domain::live::{Change, LOG_LINES, LiveRun};
use crate::domain::live_status::Announcer;
use crate::domain::problem::Problem;
use crate::domain::run::StageId;
use crate::domain::user::Actor;
use crate::pages::live::{ACTIONS, CHARTS, LOADS, PROGRESS, Parts, STAGES, STANDING, STATE, log};
use crate::state::AppState;
use dyno_measure::run::RunStatus;

/// Changes are collected for this time before they are rendered, so that figures follow about once a second.
const GATHER: Duration = Duration::from_millis(700);
/// Most events per query.
const EVENTS: u32 = 5000;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LiveQuery {
    /// The number of the last event that the page has seen.
    after: i64,
}

/// The event stream of a run's page. Each connection begins with all parts, so that a page that was disconnected is complete
/// again. Ends with the run, with the reader's session, and with the portal.
pub(super) async fn follow(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    caller: Caller,
    Path(id): Path<Uuid>,
    Query(query): Query<LiveQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let live = runs::live(&app, &actor, id, LOG_LINES as u32, SNAPSHOTS).await?;
    let parts = Parts::new(&live.run, &benchmarks::get(&app, &actor, live.run.benchmark_id).await?.spec);
    // subscribed before the store is read, so that no event in between is missed
    let news = runs::news(&app, &live.run);
    let is_over = live.run.status.is_end();
    let mut follower = Follower {
        app,
        actor,
        caller,
        live,
        parts,
        zone: Zone::of_headers(&headers).unwrap_or_default(),
        news,
        began: tokio::time::Instant::now(),
        announcer: Announcer::default(),
        ready: Vec::new(),
        is_over,
    };
    let after = query.after.max(last_event_id(&headers));
    follower.begin(after);
    Ok(rest::answer(follower.stream()))
}

struct Follower {
    app: AppState,
    actor: Actor,
    caller: Caller,
    live: LiveRun,
    parts: Parts,
    /// What times are written in.
    zone: Zone,
    news: watch::Receiver<i64>,
    began: tokio::time::Instant,
    announcer: Announcer,
    /// Events to be sent, in reverse order.
    ready: Vec<Event>,
    is_over: bool,
}

impl Follower {
    fn stream(self) -> impl Stream<Item = Result<Event, Infallible>> + Send + 'static {
        stream::unfold(self, |mut follower| async move {
            loop {
                if let Some(event) = follower.ready.pop() {
                    return Some((Ok(event), follower));
                }
                if follower.is_over {
                    return None;
                }
                follower.next().await?;
            }
        })
    }

    /// Renders all parts and the log lines after an event; if the run is over, the end too.
    fn begin(&mut self, after: i64) {
        let mut events: Vec<Event> =
            [ACTIONS, STATE, STANDING, STAGES, PROGRESS, LOADS, CHARTS].map(|part| self.part(part)).into();
        for stage in self.stages() {
            events.extend(self.lines(stage, after));
        }
        if self.is_over {
            events.push(end());
        }
        self.send(events);
    }

    /// Waits for changes and renders the parts that they concern. `None`: the stream ends early, and the browser reconnects.
    async fn next(&mut self) -> Option<()> {
        // waits before reading, so that what is rendered is as recent as possible
        tokio::select! {
            () = self.app.shutdown.cancelled() => return None,
            () = tokio::time::sleep(GATHER) => {}
        }
        // marked before the store is read, so that an event in between ends the wait below
        self.news.mark_unchanged();
        // the session or token may have ended meanwhile
        still_signed_in(&self.app, &self.actor, &self.caller).await.ok()?;
        let found = runs::events_after(&self.app, &self.actor, self.live.run.id, self.live.last_seq, EVENTS).await.ok()?;
        if found.is_empty() {
            rest::wait_for_news(&mut self.news, &self.app.shutdown).await?;
            return self.look_at_queue().await;
        }
        let before = (self.live.run.status, self.live.last_seq);
        let mut drawn: Vec<&'static str> = Vec::new();
        let mut logs: Vec<StageId> = Vec::new();
        let mut said = None;
        for stored in found {
            match self.live.apply(stored.seq, stored.event) {
                Change::Nothing => {}
                Change::Stage(stage) => {
                    drawn.push(STAGES);
                    logs.push(stage.id);
                    said = Some(format!("{}: {}", stage.title, stage_look(stage.status).1.to_lowercase()));
                }
                Change::Progress => drawn.extend([PROGRESS, LOADS, CHARTS]),
                Change::Log(stage) => logs.push(stage),
                Change::End(status) => {
                    self.is_over = true;
                    // without it the page says that nothing was measured until it is loaded anew
                    let report = runs::report_if_any(&self.app, &self.actor, self.live.run.id).await.ok().flatten();
                    self.live.report = report.map(Box::new);
                    drawn.extend([PROGRESS, LOADS, CHARTS]);
                    said = Some(format!("The run has ended: {}.", run_look(status).1.to_lowercase()));
                }
            }
        }
        if self.live.run.status != before.0 {
            drawn.extend([ACTIONS, STATE, STANDING, PROGRESS]);
        }
        drawn.sort_unstable();
        drawn.dedup();
        logs.sort_unstable();
        logs.dedup();
        let mut events: Vec<Event> = drawn.into_iter().map(|part| self.part(part)).collect();
        events.extend(logs.into_iter().filter_map(|stage| self.lines(stage, before.1)));
        events.extend(self.announce(said));
        if self.is_over {
            events.push(end());
        }
        self.send(events);
        Some(())
    }

    async fn look_at_queue(&mut self) -> Option<()> {
        if self.live.run.status == RunStatus::Queued {
            let position = runs::get(&self.app, &self.actor, self.live.run.id).await.ok()?.queue_position;
            if position != self.live.run.queue_position {
                self.live.run.queue_position = position;
                let event = self.part(STANDING);
                self.send(vec![event]);
            }
        }
        Some(())
    }

    /// Only the last event of a batch has an id: a page that is disconnected within a batch gets all of it again.
    fn send(&mut self, mut events: Vec<Event>) {
        if let Some(last) = events.pop() {
            events.push(last.id(self.live.last_seq.to_string()));
        }
        events.reverse();
        self.ready = events;
    }

    fn stages(&self) -> Vec<StageId> {
        self.live.run.stages.iter().map(|stage| stage.id).collect()
    }

    fn part(&self, part: &'static str) -> Event {
        let html = html(|| {
            provide_context(self.zone.clone());
            self.parts.view(part, &self.live)
        });
        event("part", format!("{part}\n{html}"))
    }

    /// Renders the lines of a stage's log after an event, as many as a page keeps; `None` while the stage has no log.
    fn lines(&self, stage: StageId, after: i64) -> Option<Event> {
        let log = self.live.log(stage)?;
        let owner = self.live.run.stages.iter().find(|known| known.id == stage)?;
        let state = if log::opens(owner) { "open" } else { "closed" };
        let lines: String = log.lines.iter().filter(|line| line.seq > after).map(|line| html(|| log::entry(line))).collect();
        Some(event("log", format!("{} {state} ({})\n{lines}", stage.into_str(), log::length(Some(log)))))
    }

    /// The announcement for screen readers: what has changed, else the progress.
    fn announce(&mut self, said: Option<String>) -> Option<Event> {
        let now_ms = self.began.elapsed().as_millis() as u64;
        let text = match (said, &self.live.progress) {
            (Some(said), _) => {
                self.announcer.said(now_ms);
                said
            }
            (None, Some(progress)) => self.announcer.progress(progress, self.live.run.status, now_ms)?,
            (None, None) => return None,
        };
        Some(event("said", text))
    }
}

fn event(name: &str, data: String) -> Event {
    Event::default().event(name).data(data)
}

/// An event without data would not reach the page: `EventSource` drops it.
fn end() -> Event {
    event("end", "end".to_owned())
}

/// Renders on one line: a line break would end the event's data.
fn html(draw: impl FnOnce() -> AnyView) -> String {
    Owner::new().with(|| draw().to_html()).replace(['\r', '\n'], " ")
}

#[derive(Debug, Deserialize)]
pub(super) struct LogQuery {
    stage: StageId,
    /// The number of the page's first line.
    before: i64,
}

/// Renders lines of a stage's log before an event, as many as a page keeps; `X-More` says whether there are more.
pub(super) async fn earlier_lines(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
    Query(query): Query<LogQuery>,
) -> Result<Response, Problem> {
    // one more than is shown, to find out whether there are more
    let mut lines = runs::earlier_lines(&app, &actor, id, query.stage, query.before, LOG_LINES as u32 + 1).await?;
    let has_more = lines.len() > LOG_LINES;
    if has_more {
        lines.remove(0);
    }
    let lines: String = lines.iter().map(|line| html(|| log::entry(line))).collect();
    let mut response = (StatusCode::OK, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], lines).into_response();
    if has_more {
        response.headers_mut().insert(HeaderName::from_static("x-more"), axum::http::HeaderValue::from_static("yes"));
    }
    Ok(response)
}
