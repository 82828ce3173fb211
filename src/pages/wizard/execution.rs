//! Step 8: simulate, or run on the cluster.

use leptos::prelude::*;
use server_fn::ServerFn;

use super::frame::{Frame, StepForm};
use super::refused;
use super::step_context::StepContext;
use crate::api::functions::workflows::SaveExecution;
use crate::components::button::Submit;
use crate::components::field::field_id;
use crate::domain::inventory::Model;
use crate::domain::workflow::sentence::untimed_sentence;

/// The field that the two buttons answer.
const FIELD: &str = "run_as_simulation";

/// How the benchmark is carried out. Each button starts it.
#[component]
pub fn ExecutionStep(
    /// Where the reader is.
    context: StepContext,
) -> impl IntoView {
    let flash = context.flash.clone();
    let chosen = context.view.as_ref().map(|view| view.chosen.clone()).unwrap_or_default();
    let is_cloud = chosen.model.as_ref().is_some_and(Model::is_cloud);
    let can_measure = chosen.cluster.as_ref().is_none_or(|cluster| cluster.kind().can_measure());
    let where_to =
        chosen.cluster.as_ref().map_or_else(|| "the cluster".to_owned(), |cluster| format!("cluster {}", cluster.name));
    let starts = context.view.as_ref().map(|view| {
        let steps = &view.answer.workflow_steps;
        let model = chosen.model.as_ref().map_or_else(String::new, |model| format!("{} on ", model.name));
        let nodes: Vec<&str> = steps.nodes.iter().map(|node| node.hostname.as_str()).collect();
        format!("{model}{}: {}", nodes.join(", "), untimed_sentence(&steps.load, &chosen.datasets))
    });
    let starts = starts.unwrap_or_default();
    // The run's own refusals (an engine that is missing, a node that left) come without a field of this page.
    let again = refused(&flash)
        .then(|| view! { <p class="hint">"Nothing was started. Change what is named above, and confirm again."</p> });
    let simulate = if is_cloud {
        view! { <p class="hint">"A cloud model can't be simulated: what serves it is not known."</p> }.into_any()
    } else {
        view! {
            <p class="hint">
                "Answers at once what latency, throughput and memory to expect, and how sure that is. No engine is started, no device is used; the figures are marked as simulated wherever they stand."
            </p>
        }
        .into_any()
    };
    let run = if can_measure {
        format!("Deploys the engine on the chosen nodes of {where_to}, measures, and tidies up.")
    } else {
        "The nodes of the catalogue are hypothetical: nothing can be measured there. Choose another cluster to measure."
            .to_owned()
    };
    let value = |choice: &str| (FIELD, choice.to_owned());
    let (button, answer, other) = if can_measure {
        let other = (!is_cloud).then(|| view! { <Submit text="Simulate" value=value("simulate") /> }.into_any());
        ("Run on cluster", "run", other)
    } else {
        ("Simulate", "simulate", None)
    };
    view! {
        <Frame context=context.clone()>
            {again}
            <StepForm action=SaveExecution::url() context=context button=button value=value(answer) other=other starts=starts>
                <div class="start-ways" id=field_id(FIELD)>
                    <section class="card stack-tight">
                        <h2>"Simulate"</h2>
                        {simulate}
                    </section>
                    <section class="card stack-tight">
                        <h2>"Run on cluster"</h2>
                        <p class="hint">{run}</p>
                    </section>
                </div>
            </StepForm>
        </Frame>
    }
    .into_any()
}
