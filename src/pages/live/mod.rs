//! A run while it goes on: complete as the server sends it, carried on in the browser by one stream of parts drawn anew.

mod figures;
mod loads;
pub mod log;
mod stages;

use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use uuid::Uuid;

use crate::api::functions::CallError;
use crate::api::functions::runs::{LivePage as Data, load_live};
use crate::components::badge::{KindBadge, RunBadge};
use crate::components::banner::{Banner, Notice};
use crate::components::button::{LinkButton, Look};
use crate::components::failure::{Failure, SignedOut};
use crate::components::heading::PageHeading;
use crate::components::number::count;
use crate::domain::benchmark::BenchmarkSpec;
use crate::domain::live::LiveRun;
use crate::domain::problem::Problem;
use crate::domain::run::Run;
use crate::islands::FollowRun;
use crate::pages::report::title;
use crate::pages::run_actions::{ActionRefused, CancelForm, CopyForm, RunAgainForm, Subject};
use dyno_measure::load::Slo;
use dyno_measure::run::RunStatus;

pub use stages::stage_entry;

/// The id in a page's address.
pub fn run_id() -> Memo<Option<Uuid>> {
    let params = use_params_map();
    Memo::new(move |_| params.with(|params| params.get("id")).and_then(|id| id.parse().ok()))
}

/// What a page without a valid id in its address shows.
pub fn no_such_run() -> CallError {
    CallError(Problem::not_found("run"))
}

#[component]
pub fn LivePage() -> impl IntoView {
    let id = run_id();
    let query = use_query_map();
    let flash = Memo::new(move |_| query.with(|query| query.get("flash")).unwrap_or_default());
    let data = Resource::new(
        move || (id.get(), flash.get()),
        |(id, flash)| async move {
            match id {
                Some(id) => load_live(id, flash).await,
                None => Err(no_such_run()),
            }
        },
    );
    view! {
        <Suspense>
            {move || Suspend::new(async move {
                match data.await {
                    Ok(data) => view! { <Live data=data /> }.into_any(),
                    Err(error) => view! { <Failure error=error /> }.into_any(),
                }
            })}
        </Suspense>
    }
    .into_any()
}

#[component]
fn Live(data: Data) -> impl IntoView {
    let Data { live, spec, flash } = data;
    let id = live.run.id;
    let parts = Parts::new(&live.run, &spec);
    let engine = spec.serving.engine.map_or("a provider's API", |engine| engine.title());
    let about = format!("{} on {engine}, cluster {}", spec.model.name, spec.cluster_name);
    let actions = parts.view(ACTIONS, &live);
    let goes_on = !live.run.status.is_end();
    let follows = goes_on.then(|| view! { <FollowRun address=format!("/api/ui/runs/{id}/live") after=live.last_seq /> });
    view! {
        <div class="live stack-loose">
            <ActionRefused flash=flash />
            <PageHeading title=spec.name above="Run">
                <div class="actions" id=ACTIONS>{actions}</div>
            </PageHeading>
            <div class="row">
                <span id=STATE>{parts.view(STATE, &live)}</span>
                <KindBadge kind=live.run.kind />
                <span class="muted">{about}</span>
            </div>
            {goes_on.then(|| view! { <RenewWithoutScripts /> })}
            <p class="visually-hidden" role="status" id="live-said"></p>
            <ConnectionLost />
            <SignedOut />
            <div id=STANDING>{parts.view(STANDING, &live)}</div>
            <div class="live-columns">
                <section class="panel live-stages" aria-labelledby="stages-title">
                    <h2 id="stages-title">"Stages"</h2>
                    <div id=STAGES>{parts.view(STAGES, &live)}</div>
                </section>
                <section class="live-figures stack" aria-labelledby="figures-title">
                    <h2 id="figures-title">"Load"</h2>
                    <div class="stack" id=PROGRESS>{parts.view(PROGRESS, &live)}</div>
                    <div class="stack-tight" id=LOADS>{parts.view(LOADS, &live)}</div>
                    <div class="live-charts" id=CHARTS>{parts.view(CHARTS, &live)}</div>
                </section>
            </div>
            {log::logs(&live)}
            {follows}
        </div>
    }
    .into_any()
}

/// The actions beside the heading.
pub const ACTIONS: &str = "live-actions";
pub const STATE: &str = "live-state";
/// What a waiting or ended run says of itself.
pub const STANDING: &str = "live-standing";
pub const STAGES: &str = "live-stages";
/// How far the load is, and its counters.
pub const PROGRESS: &str = "live-progress";
/// The load points of a sweep or search.
pub const LOADS: &str = "live-loads";
/// The figures over time.
pub const CHARTS: &str = "live-charts";

/// Draws the parts of the page that change while the run goes on: with the page, and alone for its stream. A part's id says
/// which.
pub struct Parts {
    subject: Subject,
    slo: Option<Slo>,
}

impl Parts {
    /// Those of a run of a benchmark.
    pub fn new(run: &Run, spec: &BenchmarkSpec) -> Self {
        Self { subject: Subject::of_live(run, &spec.name), slo: spec.load.slo.clone() }
    }

    /// What is in the element with the id.
    pub fn view(&self, part: &'static str, live: &LiveRun) -> AnyView {
        match part {
            ACTIONS => self.actions(live.run.status),
            STATE => view! { <RunBadge status=live.run.status /> }.into_any(),
            STANDING => standing(live, self.slo.as_ref()),
            STAGES => stages::stage_list(&live.run.stages),
            PROGRESS => figures::progress(live, self.slo.as_ref().is_some_and(|slo| slo.search.is_some())),
            LOADS => loads::load_table(live, self.slo.as_ref()),
            _ => figures::charts(live),
        }
    }

    fn actions(&self, status: RunStatus) -> AnyView {
        if status.is_end() {
            let subject = self.subject.clone();
            view! { <RunAgainForm subject=subject.clone() /> <CopyForm subject=subject /> }.into_any()
        } else {
            view! { <CancelForm run=self.subject.run status=status /> }.into_any()
        }
    }
}

/// Where scripts are off, the page is loaded anew every few seconds.
#[component]
fn RenewWithoutScripts() -> impl IntoView {
    view! {
        <noscript>
            <meta http-equiv="refresh" content="5" />
            <p class="muted">"Scripts are off: this page is loaded anew every 5 seconds."</p>
        </noscript>
    }
    .into_any()
}

/// Shown while the stream is cut.
#[component]
fn ConnectionLost() -> impl IntoView {
    view! {
        <div id="live-lost" hidden>
            <Banner notice=Notice::Warning>
                <p>"Connection lost " <span id="live-lost-since"></span> ". The run continues; figures are from then."</p>
            </Banner>
        </div>
    }
}

/// What a waiting run says of itself, and how an ended one ended and what it found; a running one is told by its stages.
fn standing(live: &LiveRun, slo: Option<&Slo>) -> AnyView {
    let reason = live.run.reason.clone().unwrap_or_default();
    let ended = |notice, how: String, look| {
        let (found, report) = (found(live, slo), format!("/runs/{}/report", live.run.id));
        view! {
            <Banner notice=notice>
                <p>{how}</p>
                <p class="found">{found}</p>
                <div class="actions">
                    <LinkButton href=report text="View report" look=look />
                </div>
            </Banner>
        }
        .into_any()
    };
    match live.run.status {
        RunStatus::Queued => {
            let text = match live.run.queue_position {
                Some(0) => "Next in the queue: it starts when its nodes are free.".to_owned(),
                Some(before) => format!("Waits for its nodes: {} before it.", count(u64::from(before), "run is", "runs are")),
                None => "Waits for its nodes.".to_owned(),
            };
            view! { <Banner notice=Notice::Info><p>{text}</p></Banner> }.into_any()
        }
        RunStatus::Running => ().into_any(),
        RunStatus::Cancelling => {
            view! { <Banner notice=Notice::Info><p>"The run is being cancelled: load and engine are stopped, then it is cleaned up."</p></Banner> }
                .into_any()
        }
        RunStatus::Succeeded => ended(Notice::Success, "The run has succeeded.".to_owned(), Look::Primary),
        RunStatus::Partial => {
            let how = format!("The run ended early; what was measured is kept. {reason}");
            ended(Notice::Warning, how, Look::Primary)
        }
        RunStatus::Cancelled => {
            let how = if reason.is_empty() { "The run was cancelled.".to_owned() } else { reason };
            ended(Notice::Warning, how, Look::Plain)
        }
        RunStatus::Failed | RunStatus::Interrupted => {
            let how = if reason.is_empty() { "The run has failed.".to_owned() } else { reason };
            ended(Notice::Error, how, Look::Plain)
        }
    }
}

/// The answer of a run that is over, as its report's heading has it.
fn found(live: &LiveRun, slo: Option<&Slo>) -> String {
    let report = live.report.as_deref();
    let answer = title::of_run(&live.run, report, slo);
    match (report, live.run.status) {
        (Some(report), _) if !report.valid => match report.invalid_reasons.first() {
            Some(reason) => format!("{answer}: {reason}"),
            None => format!("{answer}."),
        },
        (Some(_), RunStatus::Succeeded) | (None, _) => format!("{answer}."),
        (Some(_), _) => format!("Measured until then: {answer}."),
    }
}
