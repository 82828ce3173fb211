//! Step 8: simulate, or run on the cluster.

use leptos::prelude::*;
use server_fn::ServerFn;

use super::frame::{Frame, StepForm};
use super::place::Place;
use super::refused;
use crate::api::functions::workflows::SaveExecution;
use crate::components::field::{Choice, ChoiceGroup};

/// How the benchmark is carried out. The button starts it.
#[component]
pub fn ExecutionStep(
    /// Where the reader is.
    place: Place,
) -> impl IntoView {
    let flash = place.flash.clone();
    let cluster = place.view.as_ref().and_then(|view| view.chosen.cluster.as_ref()).map(|cluster| cluster.name.clone());
    let where_to = cluster.map_or_else(|| "the cluster".to_owned(), |name| format!("cluster {name}"));
    let choices = vec![
        Choice::new("simulate", "Simulate", false)
            .refused(Some("Not yet available: this version has no simulator. Nothing is simulated in its place.".to_owned())),
        Choice::new("run", "Run on cluster", true).with(view! {
            <p class="hint">
                {format!("Deploys the engine on the chosen nodes of {where_to}, measures, and tidies up. A cloud model is only measured.")}
            </p>
        }),
    ];
    // The run's own refusals (an engine that is missing, a node that left) come without a field of this page.
    let again = refused(&flash)
        .then(|| view! { <p class="hint">"Nothing was started. Change what is named above, and confirm again."</p> });
    view! {
        <Frame place=place.clone()>
            {again}
            <StepForm action=SaveExecution::url() place=place button="Run on cluster">
                <ChoiceGroup
                    name="run_as_simulation"
                    legend="How the benchmark is carried out"
                    choices=choices
                    error=flash.error("run_as_simulation")
                />
            </StepForm>
        </Frame>
    }
    .into_any()
}
