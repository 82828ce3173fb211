//! A run while it goes on: complete as the server sends it, carried on in the browser by one stream of events.

mod figures;
mod log;
mod stages;
#[cfg(feature = "hydrate")]
mod stream;

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
use crate::domain::live::LiveRun;
use crate::domain::problem::Problem;
use crate::domain::run::RunStatus;
use crate::pages::run_actions::{ActionRefused, CancelForm, CopyForm, RunAgainForm, Subject};

use figures::Figures;
use log::Logs;
use stages::StageList;
pub use stages::took;

/// The id in a page's address.
pub fn run_id() -> Memo<Option<Uuid>> {
    let params = use_params_map();
    Memo::new(move |_| params.with(|params| params.get("id")).and_then(|id| id.parse().ok()))
}

/// What a page without a valid id in its address shows.
pub fn no_such_run() -> CallError {
    CallError(Problem::not_found("run"))
}

/// `/runs/:id`
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

/// How the stream stands, and what is read out.
#[derive(Debug, Clone, Copy)]
struct Channel {
    /// Everything that is known of the run.
    live: RwSignal<LiveRun>,
    /// Since when the connection is lost, as a time of day.
    lost: RwSignal<Option<String>>,
    /// Whether the reader's session is over.
    signed_out: RwSignal<bool>,
    /// What screen readers are told next.
    said: RwSignal<String>,
}

#[component]
fn Live(data: Data) -> impl IntoView {
    let Data { live, spec, flash } = data;
    let (id, kind) = (live.run.id, live.run.kind);
    let subject = Subject {
        run: id,
        benchmark: live.run.benchmark_id,
        name: spec.name.clone(),
        kind,
        here: format!("/runs/{id}"),
        after_delete: "/".to_owned(),
    };
    let channel = Channel {
        live: RwSignal::new(live),
        lost: RwSignal::new(None),
        signed_out: RwSignal::new(false),
        said: RwSignal::new(String::new()),
    };
    let live = channel.live;
    let status = Memo::new(move |_| live.with(|live| live.run.status));
    #[cfg(feature = "hydrate")]
    stream::follow(id, channel);

    let engine = spec.serving.engine.map_or("a provider's API", |engine| engine.title());
    let about = format!("{} on {engine}, cluster {}", spec.model.name, spec.cluster_name);
    let again = subject.clone();
    view! {
        <div class="live stack-loose">
            <ActionRefused flash=flash />
            <PageHeading title=spec.name above="Run">
                {move || status.get().is_end().then(|| view! { <RunAgainForm subject=again.clone() /> <CopyForm subject=again.clone() /> })}
                <CancelForm run=id status=status />
            </PageHeading>
            <div class="row">
                <RunBadge status=status />
                <KindBadge kind=kind />
                <span class="muted">{about}</span>
            </div>
            {move || (!status.get().is_end()).then(|| view! { <RenewWithoutScripts /> })}
            <p class="visually-hidden" role="status">{move || channel.said.get()}</p>
            <ConnectionLost lost=channel.lost />
            <SignedOut ended=channel.signed_out />
            <Standing live=live status=status />
            <div class="live-columns">
                <StageList live=live />
                <Figures live=live />
            </div>
            <Logs live=live />
        </div>
    }
    .into_any()
}

/// Where scripts are off, the page is loaded anew every few seconds.
#[component]
fn RenewWithoutScripts() -> impl IntoView {
    // Constant text. As children it would not hydrate: with scripts on, browsers read what is inside as plain text.
    view! {
        <noscript inner_html="<meta http-equiv=\"refresh\" content=\"5\"><p class=\"muted\">Scripts are off: this page is loaded anew every 5 seconds.</p>"></noscript>
    }
    .into_any()
}

#[component]
fn ConnectionLost(lost: RwSignal<Option<String>>) -> impl IntoView {
    move || {
        lost.get().map(|at| {
            view! {
                <Banner notice=Notice::Warning>
                    <p>{format!("Connection lost {at}. The run continues; figures are from then.")}</p>
                </Banner>
            }
        })
    }
}

/// What a waiting or ended run says of itself; a running one is told by its stages.
#[component]
fn Standing(live: RwSignal<LiveRun>, status: Memo<RunStatus>) -> impl IntoView {
    let facts = Memo::new(move |_| live.with(|live| (live.run.reason.clone(), live.run.queue_position, live.run.id)));
    move || {
        let (reason, queue, id) = facts.get();
        let reason = reason.unwrap_or_default();
        let report = format!("/runs/{id}/report");
        match status.get() {
            RunStatus::Queued => {
                let text = match queue {
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
            RunStatus::Succeeded => view! {
                <Banner notice=Notice::Success>
                    <p>"The run has succeeded."</p>
                    <div class="actions">
                        <LinkButton href=report text="View report" look=Look::Primary />
                    </div>
                </Banner>
            }
            .into_any(),
            RunStatus::Partial => view! {
                <Banner notice=Notice::Warning>
                    <p>{format!("The run ended early; what was measured is kept. {reason}")}</p>
                    <div class="actions">
                        <LinkButton href=report text="View report" look=Look::Primary />
                    </div>
                </Banner>
            }
            .into_any(),
            RunStatus::Cancelled => view! {
                <Banner notice=Notice::Warning>
                    <p>{if reason.is_empty() { "The run was cancelled.".to_owned() } else { reason }}</p>
                    <div class="actions">
                        <LinkButton href=report text="View report" />
                    </div>
                </Banner>
            }
            .into_any(),
            RunStatus::Failed | RunStatus::Interrupted => view! {
                <Banner notice=Notice::Error>
                    <p>{if reason.is_empty() { "The run has failed.".to_owned() } else { reason }}</p>
                    <div class="actions">
                        <LinkButton href=report text="View report" />
                    </div>
                </Banner>
            }
            .into_any(),
        }
    }
}
