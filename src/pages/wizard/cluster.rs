//! The page of step 3: the cluster.

use leptos::prelude::*;
use server_fn::ServerFn;

use super::frame::{Frame, StepForm};
use super::step_context::StepContext;
use crate::api::functions::inventory::Choices;
use crate::api::functions::workflows::SaveCluster;
use crate::components::badge::{Badge, Tone};
use crate::components::banner::Empty;
use crate::components::button::LinkButton;
use crate::components::field::{Choice, ChoiceGroup};
use crate::components::number::count;
use crate::domain::inventory::{ClusterKind, ClusterRow};

/// Which cluster; each was looked at just now.
#[component]
pub fn ClusterStep(
    /// Where the reader is.
    context: StepContext,
) -> impl IntoView {
    let flash = context.flash.clone();
    let rows = match context.view.as_ref().map(|view| &view.choices) {
        Some(Choices::Clusters(rows)) => rows.clone(),
        _ => Vec::new(),
    };
    let stored = context.view.as_ref().and_then(|view| view.answer.workflow_steps.cluster_id).map(|id| id.to_string());
    let only = (rows.len() == 1).then(|| rows[0].cluster.id.to_string());
    let chosen = flash.value("cluster_id", stored.or(only).unwrap_or_default());
    let fields = if rows.is_empty() {
        view! {
            <Empty message="No clusters yet.">
                <LinkButton href="/clusters" text="Add a cluster" />
            </Empty>
        }
        .into_any()
    } else {
        let choices: Vec<Choice> = rows
            .into_iter()
            .map(|row| {
                let id = row.cluster.id.to_string();
                let checked = id == chosen;
                Choice::new(id, row.cluster.name.clone(), checked).with(facts(&row))
            })
            .collect();
        view! {
            <ChoiceGroup
                name="cluster_id"
                legend="Where the benchmark runs"
                choices=choices
                error=flash.error("cluster_id")
            />
        }
        .into_any()
    };
    view! {
        <Frame context=context.clone()>
            <StepForm action=SaveCluster::url() context=context>
                {fields}
            </StepForm>
        </Frame>
    }
    .into_any()
}

fn facts(row: &ClusterRow) -> impl IntoView + use<> {
    let (tone, text) = match (row.cluster.kind(), row.reachable) {
        (ClusterKind::Catalogue, _) => (Tone::Simulated, "Simulation only"),
        (_, true) => (Tone::Succeeded, "Reachable"),
        (_, false) => (Tone::Failed, "Not reachable"),
    };
    let problem = row.problem.clone().filter(|_| !row.reachable);
    let problem =
        problem.map(|problem| view! { <p class="hint">{format!("{problem} Only a simulation is possible at present.")}</p> });
    let kind = match row.cluster.kind() {
        ClusterKind::Local => "this machine",
        ClusterKind::Kubernetes => "Kubernetes",
        ClusterKind::Catalogue => "hypothetical nodes, for simulation only",
    };
    let nodes = format!("{kind}, {}, {} Ready", count(row.nodes.into(), "node", "nodes"), row.ready_nodes);
    let devices = row.devices.clone();
    view! {
        <div class="stack-tight">
            <p>
                <Badge tone=tone text=text.to_owned() />
            </p>
            <p class="hint">{nodes}</p>
            <p class="hint">{devices}</p>
            {problem}
        </div>
    }
}
