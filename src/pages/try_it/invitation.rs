//! What somebody sees whose portal has no runs yet.

use leptos::prelude::*;

use crate::components::button::{LinkButton, Look};

/// What "Try it" does, how long it takes, and what comes of it.
#[component]
pub fn Invitation() -> impl IntoView {
    view! {
        <section class="first-run" aria-labelledby="first-run">
            <div class="stack">
                <h2 id="first-run">"No runs yet."</h2>
                <p>
                    "Try it benchmarks a small model on this machine: it fetches llama.cpp and SmolLM2 135M (about 130 MB), fills in a benchmark of 100 requests and leads you to its report."
                </p>
                <p class="hint">
                    "Its run took 54 s on a small virtual machine; how long the fetching takes depends on your connection. Nothing is started before you confirm. The portal's machine needs Python 3.9 or newer with pip. The picture shows the report of a sweep over three loads."
                </p>
                <div class="actions">
                    <LinkButton href="/try" text="Try it" look=Look::Primary />
                    <LinkButton href="/benchmarks/new" text="New benchmark" />
                </div>
            </div>
            <picture>
                <source srcset="/report-dark.webp" media="(prefers-color-scheme: dark)" />
                <img
                    src="/report.webp"
                    width="900"
                    height="652"
                    alt="A report: which load meets the limits, output tokens per second, TTFT and TPOT with their limits, errors and goodput."
                />
            </picture>
        </section>
    }
    .into_any()
}
