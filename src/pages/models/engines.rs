//! Which engines were found on the portal's machine, and how to get the others.

use leptos::prelude::*;

use crate::components::badge::{Badge, Tone};
use crate::domain::engine::{EngineAvailability, EngineKind};

#[component]
pub fn Engines(
    /// All that Dyno knows.
    engines: Vec<EngineAvailability>,
) -> impl IntoView {
    view! {
        <section class="stack" aria-labelledby="engines">
            <h2 id="engines">"Engines"</h2>
            <p class="muted">
                "An engine serves the models that Dyno deploys. These were looked for on the portal's machine; cloud models need none."
            </p>
            <div class="grid-3">{engines.into_iter().map(|engine| view! { <Engine engine=engine /> }).collect_view()}</div>
        </section>
    }
}

#[component]
fn Engine(engine: EngineAvailability) -> impl IntoView {
    let custom = engine.kind == EngineKind::Custom;
    // An own command is nothing to be found: it has no mark.
    let (tone, word) = if engine.available { (Tone::Succeeded, "Installed") } else { (Tone::Partial, "Not installed") };
    let mark = (!custom).then(|| view! { <Badge tone=tone text=word.to_owned() /> });
    let version = engine.version.filter(|_| !custom).map(|version| view! { <p>{format!("Version: {version}")}</p> });
    let program = engine.program.filter(|_| !custom).map(|program| view! { <p><code>{program}</code></p> });
    let how = (custom || !engine.available).then(|| view! { <p class="hint">{engine.how_to_get}</p> });
    view! {
        <article class="card">
            <div class="row-between">
                <h3>{engine.title}</h3>
                {mark}
            </div>
            {version}
            {program}
            {how}
        </article>
    }
}
