//! Adding a Kubernetes cluster, and changing one.

use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use server_fn::ServerFn;

use crate::api::functions::cluster_form::{ClusterFormView, SaveCluster, load_cluster_form};
use crate::components::button::{LinkButton, Look, Submit};
use crate::components::field::{SelectField, TextArea, TextField};
use crate::components::form::{ErrorSummary, FormNumber, summary_lines};
use crate::components::heading::PageHeading;
use crate::domain::inventory::ClusterAccess;
use crate::domain::kubernetes::{KubernetesAccess, ModelCache};
use crate::pages::loaded::loaded;

/// `/clusters/new` and `/clusters/:id/edit`
#[component]
pub fn ClusterFormPage() -> impl IntoView {
    let params = use_params_map();
    let query = use_query_map();
    let asked = move || (params.read().get("id").unwrap_or_default(), query.read().get("flash").unwrap_or_default());
    let data = Resource::new(asked, |(id, flash)| load_cluster_form(id, flash));
    loaded(data, move |view| view! { <Form view=view /> })
}

#[component]
fn Form(view: ClusterFormView) -> impl IntoView {
    let ClusterFormView { cluster, flash } = view;
    let flash = flash.unwrap_or_default();
    let is_new = cluster.is_none();
    let (id, name, access) = match cluster {
        Some(cluster) => {
            let access = match cluster.access {
                ClusterAccess::Kubernetes(access) => access,
                ClusterAccess::Local | ClusterAccess::Catalogue => KubernetesAccess::default(),
            };
            (cluster.id.to_string(), cluster.name, access)
        }
        None => (String::new(), String::new(), KubernetesAccess::default()),
    };
    let (title, button, back) = if is_new {
        ("Add a Kubernetes cluster", "Add cluster", "/clusters".to_owned())
    } else {
        ("Change a Kubernetes cluster", "Save changes", format!("/clusters/{id}"))
    };
    let kubeconfig_hint = if is_new {
        "With tokens and certificates in the text: one that runs a program, reads files or goes through a proxy is refused. What is needed of it is sealed, and never shown again. Leave it empty where the portal runs in the cluster itself."
    } else {
        "Only to replace the one that is sealed."
    };
    let (cache_kind, cache) = match access.cache {
        Some(ModelCache::HostPath(path)) => ("host_path", path),
        Some(ModelCache::PersistentVolumeClaim(claim)) => ("persistent_volume_claim", claim),
        None => ("", String::new()),
    };
    let cache_kinds = [
        ("", "Nowhere: they go with the run"),
        ("host_path", "In a folder of each node's disk"),
        ("persistent_volume_claim", "In a persistent volume claim"),
    ];
    view! {
        <div class="form-page stack-loose">
            <a class="back" href=back.clone()>{if is_new { "All clusters" } else { "The cluster" }}</a>
            <ErrorSummary lines=summary_lines(&flash) />
            <PageHeading title=title error=flash.is_refusal() />
            <form class="form" method="post" action=SaveCluster::url() enctype="multipart/form-data" novalidate autocomplete="off">
                <FormNumber />
                <input type="hidden" name="id" value=id />
                <TextField
                    name="name"
                    label="Name"
                    hint="As it is called in lists, up to 100 characters."
                    autocomplete="off"
                    value=flash.value("name", name)
                    error=flash.error("name")
                />
                <TextArea name="kubeconfig" label="Kubeconfig" hint=kubeconfig_hint rows=10 error=flash.error("kubeconfig") />
                <TextField name="file" label="Or the kubeconfig as a file" kind="file" />
                <TextField
                    name="context"
                    label="Context (optional)"
                    hint="Which of the kubeconfig's contexts. Without it, its current one."
                    autocomplete="off"
                    value=flash.value("context", "")
                    error=flash.error("context")
                />
                <TextField
                    name="namespace"
                    label="Namespace"
                    hint="Where Dyno makes what a run needs. It must exist."
                    autocomplete="off"
                    value=flash.value("namespace", access.namespace)
                    error=flash.error("namespace")
                />
                <TextArea
                    name="image_pull_secrets"
                    label="Pull secrets (optional)"
                    hint="Names of Secrets in the namespace, one a line. Nodes pull the images of runs' pods by them, engines' and Dyno's own, where registries ask who pulls."
                    rows=2
                    value=flash.value("image_pull_secrets", access.image_pull_secrets.join("\n"))
                    error=flash.error("image_pull_secrets")
                />
                <SelectField
                    name="cache_kind"
                    label="Where transferred models stay"
                    options=cache_kinds.map(|(value, words)| (value.to_owned(), words.to_owned())).to_vec()
                    value=flash.value("cache_kind", cache_kind)
                />
                <TextField
                    name="cache"
                    label="Folder or claim (optional)"
                    hint="Such as /var/lib/dyno, or the name of a claim in the namespace that all nodes can mount."
                    autocomplete="off"
                    value=flash.value("cache", cache)
                    error=flash.error("cache")
                />
                <TextArea
                    name="model_roots"
                    label="Folders with models on the nodes (optional)"
                    hint="One a line. Models are read from below these folders only; without any, no path on a node can be used."
                    rows=3
                    value=flash.value("model_roots", access.model_roots.join("\n"))
                    error=flash.error("model_roots")
                />
                <div class="actions">
                    <Submit text=button look=Look::Primary />
                    <LinkButton href=back text="Cancel" />
                </div>
            </form>
        </div>
    }
}
