//! Adding a Kubernetes cluster.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use server_fn::ServerFn;

use crate::api::functions::clusters::AddCluster;
use crate::api::functions::forms::load_flash;
use crate::components::button::{LinkButton, Look, Submit};
use crate::components::failure::Failure;
use crate::components::field::{TextArea, TextField};
use crate::components::form::{ErrorSummary, FormNumber, summary_lines};
use crate::components::heading::PageHeading;
use crate::domain::form::Flash;

/// `/clusters/new`
#[component]
pub fn NewClusterPage() -> impl IntoView {
    let query = use_query_map();
    let kept = Resource::new(move || query.read().get("flash").unwrap_or_default(), load_flash);
    view! {
        <Transition>
            {move || Suspend::new(async move {
                match kept.await {
                    Ok(flash) => view! { <Add flash=flash.unwrap_or_default() /> }.into_any(),
                    Err(error) => view! { <Failure error=error /> }.into_any(),
                }
            })}
        </Transition>
    }
}

#[component]
fn Add(flash: Flash) -> impl IntoView {
    view! {
        <div class="form-page stack-loose">
            <a class="back" href="/clusters">"All clusters"</a>
            <ErrorSummary lines=summary_lines(&flash) />
            <PageHeading title="Add a Kubernetes cluster" error=flash.is_refusal() />
            <p>
                "Dyno reads the cluster's nodes and devices, so that benchmarks can be simulated on them. It cannot run engines there yet."
            </p>
            <form class="form" method="post" action=AddCluster::url() novalidate autocomplete="off">
                <FormNumber />
                <TextField
                    name="name"
                    label="Name"
                    hint="As it is called in lists, up to 100 characters."
                    autocomplete="off"
                    value=flash.value("name", "")
                    error=flash.error("name")
                />
                <TextArea
                    name="kubeconfig"
                    label="Kubeconfig"
                    hint="With tokens and certificates in the text: one that runs a program, reads files or goes through a proxy is refused. What is needed of it is sealed, and never shown again. Leave it empty where the portal runs in the cluster itself."
                    rows=10
                    error=flash.error("kubeconfig")
                />
                <TextField
                    name="context"
                    label="Context (optional)"
                    hint="Which of the kubeconfig's contexts. Without it, its current one."
                    autocomplete="off"
                    value=flash.value("context", "")
                    error=flash.error("context")
                />
                <div class="actions">
                    <Submit text="Add cluster" look=Look::Primary />
                    <LinkButton href="/clusters" text="Cancel" />
                </div>
            </form>
        </div>
    }
}
