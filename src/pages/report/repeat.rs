//! The command that repeats the run's load from a terminal.

use leptos::prelude::*;
use uuid::Uuid;

use crate::components::menu::Dialog;
use crate::islands::CopyText;
use dyno_measure::repeat::Repeat;

/// The dialog that [`CopyAsCommand`] is.
pub const COMMAND: &str = "copy-as-command";

/// The command, with what it needs, in a dialog.
#[component]
pub fn CopyAsCommand(run: Uuid, repeat: Repeat) -> impl IntoView {
    let plan = (!repeat.by_hand).then(|| {
        view! {
            <p>
                "The flags cannot say all of this load. "
                <a href=format!("/api/v1/runs/{run}/plan") download=plan_file(run)>
                    "Download its plan"
                </a>" first."
            </p>
        }
    });
    let key = repeat.key_variable.map(|name| {
        view! {
            <p>"The provider's key is read from the environment variable "<code>{name}</code>"."</p>
        }
    });
    let engines = (!repeat.engines.is_empty()).then(|| {
        let lines = repeat
            .engines
            .into_iter()
            .map(|line| view! { <CopyText label="Engine" text=line /> })
            .collect_view();
        view! {
            <p>"The engine was started for this run and has ended with it. Start it first, at the address in the command or plan:"</p>
            {lines}
        }
    });
    let datasets = repeat.reads_datasets.then(|| view! { <p>"The plan reads its datasets from the portal's machine."</p> });
    view! {
        <Dialog id=COMMAND title="Copy as command">
                <CopyText label="Puts the same load on again" text=repeat.command />
                {plan}
                {key}
                {datasets}
                {engines}
        </Dialog>
    }
    .into_any()
}

/// What the downloaded plan is called, here and in the command.
pub fn plan_file(run: Uuid) -> String {
    format!("plan-{run}.json")
}
