//! One cluster: its nodes and devices as they are now, and what runs on them. While the page is open and alive it is read
//! again every few seconds.

use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use server_fn::ServerFn;

use super::calibrate::CalibrateForm;
use super::kind_words;
use crate::api::functions::clusters::{ClusterView, DeleteCluster, TestCluster, load_cluster};
use crate::components::badge::{Badge, Tone};
use crate::components::banner::{Banner, Empty, Notice};
use crate::components::button::{LinkButton, Submit};
use crate::components::confirm::ConfirmForm;
use crate::components::definition::{Definition, Definitions};
use crate::components::failure::SignedOut;
use crate::components::heading::PageHeading;
use crate::components::node_search::NodeSearch;
use crate::components::number::{bytes, count, figure};
use crate::components::outcome::Outcome;
use crate::components::table::{Column, DataTable};
use crate::components::time::Time;
use crate::domain::inventory::{Cluster, ClusterAccess, Device, DeviceType, Node, NodeRequests};
use crate::domain::kubernetes::{ClusterTest, KubernetesAccess, ModelCache};
use crate::domain::node_filter::{MANY_NODES, NodeFilter};
use crate::domain::occupancy::NodeRun;
use crate::islands::{CopyText, Renew};
use crate::pages::loaded::loaded;

/// How often the nodes are read, in milliseconds.
const READ_EVERY_MS: i32 = 5000;
/// What is renewed so.
const NODES: &str = "cluster-nodes";

/// `/clusters/:id`
#[component]
pub fn ClusterPage() -> impl IntoView {
    let params = use_params_map();
    let id = move || params.read().get("id").unwrap_or_default();
    let query = use_query_map();
    let flash = move || query.read().get("flash").unwrap_or_default();
    let data = Resource::new(move || (id(), flash()), |(id, flash)| load_cluster(id, flash));
    let search = move || {
        let query = query.read();
        NodeQuery {
            search: query.get("search").unwrap_or_default(),
            device: query.get("device").unwrap_or_default(),
            sort: query.get("sort").unwrap_or_default(),
        }
    };
    loaded(data, move |cluster| view! { <Detail first=cluster asked=search() /> })
}

/// Which nodes the address asks for.
#[derive(Debug, Clone)]
struct NodeQuery {
    search: String,
    device: String,
    sort: String,
}

#[component]
fn Detail(first: ClusterView, asked: NodeQuery) -> impl IntoView {
    let cluster = first.cluster.clone();
    let (test, flash, may_change) = (first.test.clone(), first.flash.clone(), first.may_change);
    let reached = match cluster.access.clone() {
        ClusterAccess::Kubernetes(access) => Some(reached(&cluster, access, may_change)),
        ClusterAccess::Local | ClusterAccess::Catalogue => None,
    };
    let here = format!("/clusters/{}", cluster.id);
    let filter = NodeFilter::new(&asked.search, &asked.device, &asked.sort);
    let finding = (first.nodes.len() > MANY_NODES).then(|| {
        view! {
            <form method="get" action=here.clone()>
                <NodeSearch search=asked.search.clone() filter=filter.clone() nodes=first.nodes.clone()>
                    <Submit text="Search" />
                </NodeSearch>
            </form>
        }
    });
    let hosts: Vec<String> = first.nodes.iter().map(|node| node.hostname.clone()).collect();
    let calibrate = (!first.models.is_empty() && !hosts.is_empty()).then(|| {
        view! { <CalibrateForm cluster=cluster.id hosts=hosts models=first.models.clone() flash=first.flash.clone() /> }
    });
    view! {
        <div class="inventory stack-loose">
            <a class="back" href="/clusters">"All clusters"</a>
            <Outcome flash=flash />
            {test.map(tested)}
            <PageHeading title=cluster.name.clone() above=kind_words(cluster.kind()).to_owned()>
                <LinkButton href="/benchmarks/new" text="New benchmark" />
            </PageHeading>
            <SignedOut />
            {reached}
            {finding}
            <div class="stack-loose" id=NODES data-renew>
                {nodes(first, &filter, here)}
            </div>
            {calibrate}
            <Renew part=NODES every_ms=READ_EVERY_MS address="" />
        </div>
    }
}

/// How a Kubernetes cluster is reached, and what an administrator can do with it.
fn reached(cluster: &Cluster, access: KubernetesAccess, may_change: bool) -> AnyView {
    let server = match access.server {
        Some(server) => view! { <code>{server}</code> }.into_any(),
        None => view! { "from inside, with the portal's service account" }.into_any(),
    };
    let cache = match access.cache {
        Some(ModelCache::HostPath(path)) => format!("stay in {path} on each node"),
        Some(ModelCache::PersistentVolumeClaim(claim)) => format!("stay in the claim {claim}"),
        None => "go with the run".to_owned(),
    };
    let roots = if access.model_roots.is_empty() { "none".to_owned() } else { access.model_roots.join(", ") };
    let pull_secrets = (!access.image_pull_secrets.is_empty()).then(|| access.image_pull_secrets.join(", "));
    let (id, name) = (cluster.id.to_string(), cluster.name.clone());
    let actions = may_change.then(|| {
        view! {
            <div class="actions">
                <LinkButton href=format!("/clusters/{id}/edit") text="Edit" />
                <form method="post" action=TestCluster::url()>
                    <input type="hidden" name="id" value=id.clone() />
                    <Submit text="Test connection" />
                </form>
                <ConfirmForm
                    action=DeleteCluster::url()
                    text="Remove cluster"
                    about=name
                    sentence="Its kubeconfig is deleted for good. Benchmarks that were made with it stay, and nothing on the cluster changes."
                    fields=vec![("id", id)]
                />
            </div>
        }
    });
    let insecure = access.insecure.then(|| {
        view! {
            <Banner notice=Notice::Warning>
                <p>"The certificate of this cluster is not checked: its kubeconfig says so. Whoever stands in between can read and change everything."</p>
            </Banner>
        }
    });
    view! {
        <section class="stack">
            {insecure}
            <Definitions>
                <Definition term="Address">{server}</Definition>
                {access.context.map(|context| view! { <Definition term="Context">{context}</Definition> })}
                <Definition term="Namespace">{access.namespace}</Definition>
                {pull_secrets.map(|names| view! { <Definition term="Pull secrets">{names}</Definition> })}
                <Definition term="Transferred models">{cache}</Definition>
                <Definition term="Folders with models on the nodes">{roots}</Definition>
            </Definitions>
            {actions}
        </section>
    }
    .into_any()
}

/// How a test went.
fn tested(test: ClusterTest) -> AnyView {
    let notice = if test.ok { Notice::Success } else { Notice::Error };
    let missing = test.missing.into_iter().map(|line| view! { <li>{line}</li> }).collect_view();
    view! {
        <Banner notice=notice>
            <p>{test.message}</p>
            <ul>{missing}</ul>
            {(!test.optional.is_empty()).then(|| view! {
                <p>"Not permitted, and not needed. With it, more is measured beside a load:"</p>
                <ul>{test.optional.into_iter().map(|line| view! { <li>{line}</li> }).collect_view()}</ul>
            })}
            {test.manifest.map(|manifest| view! { <CopyText label="Rules that grant it" text=manifest /> })}
        </Banner>
    }
    .into_any()
}

fn nodes(view: ClusterView, filter: &NodeFilter, here: String) -> AnyView {
    let ClusterView { mut nodes, problem, runs, read_at, .. } = view;
    let all = nodes.len() as u64;
    let read = view! {
        <p class="muted">
            "Read " <Time at=read_at /> ". " <a href=here>"Read again"</a>
        </p>
    };
    if let Some(problem) = problem {
        return view! {
            <Banner notice=Notice::Error>
                <p>{format!("The nodes could not be read. {problem}")}</p>
            </Banner>
            {read}
        }
        .into_any();
    }
    if nodes.is_empty() {
        return view! {
            <Empty message="The cluster has no nodes." />
            {read}
        }
        .into_any();
    }
    nodes.retain(|node| filter.matches(node));
    filter.put_in_order(&mut nodes);
    let shown = filter.is_set().then(|| {
        view! { <p class="hint" role="status">{format!("{} of {} found.", nodes.len(), count(all, "node", "nodes"))}</p> }
    });
    let node_columns = vec![
        Column::text("Node"),
        Column::text("Status"),
        Column::text("Runs now"),
        Column::text("CPU use"),
        Column::text("Memory use"),
        Column::text("System"),
    ];
    let device_columns = vec![
        Column::text("Device"),
        Column::text("Node"),
        Column::text("Kind"),
        Column::figures("Free"),
        Column::text("Memory"),
        Column::text("Now"),
        Column::figures("Peak FP16, TFLOPS"),
        Column::figures("Bandwidth, GB/s"),
        Column::text("Source of both"),
    ];
    let node_rows = nodes.iter().map(|node| node_row(node, &runs)).collect_view();
    let device_rows = nodes.iter().flat_map(|node| node.devices.iter().map(|device| device_row(node, device))).collect_view();
    view! {
        {read}
        {shown}
        <section class="stack">
            <h2>"Nodes"</h2>
            <DataTable caption="Nodes, live" caption_hidden=true columns=node_columns blocks=true>
                {node_rows}
            </DataTable>
        </section>
        <section class="stack">
            <h2>"Devices"</h2>
            <DataTable caption="Devices of the nodes" caption_hidden=true columns=device_columns blocks=true>
                {device_rows}
            </DataTable>
            <p class="hint">
                "Peak FP16 is the dense peak at 16-bit floating point. An estimate is computed from what the device reports; a datasheet's figure is what its maker states."
            </p>
        </section>
    }
    .into_any()
}

fn node_row(node: &Node, runs: &[NodeRun]) -> AnyView {
    let tone = if node.is_ready() { Tone::Succeeded } else { Tone::Failed };
    let at_work: Vec<AnyView> = runs
        .iter()
        .filter(|run| run.hostname == node.hostname)
        .map(|run| match &run.run {
            Some(run) => view! { <p><a href=format!("/runs/{}", run.id)>{run.name.clone()}</a></p> }.into_any(),
            None => view! { <p>"another person's run"</p> }.into_any(),
        })
        .collect();
    let at_work = if at_work.is_empty() { view! { <span class="muted">"nothing"</span> }.into_any() } else { at_work.into_any() };
    let (cpu, memory) = match &node.usage {
        None => (unread(), unread()),
        Some(usage) => {
            let used = usage.memory_total_bytes.saturating_sub(usage.memory_available_bytes);
            let total = usage.memory_total_bytes.max(1);
            (
                meter(
                    usage.cpu_percent,
                    format!("CPU use of {}", node.hostname),
                    match usage.load_1m {
                        Some(load) => format!("{} %, load {}", figure(usage.cpu_percent), figure(load)),
                        None => format!("{} %", figure(usage.cpu_percent)),
                    },
                ),
                meter(
                    used as f64 / total as f64 * 100.0,
                    format!("Memory use of {}", node.hostname),
                    format!("{} of {}", bytes(used), bytes(usage.memory_total_bytes)),
                ),
            )
        }
    };
    let (cpu_requested, memory_requested) = node.requests.as_ref().map(requested).unzip();
    view! {
        <tr>
            <th scope="row">{node.hostname.clone()}</th>
            <td data-label="Status"><Badge tone=tone text=node.status.clone() /></td>
            <td data-label="Runs now">{at_work}</td>
            <td data-label="CPU use">{cpu} {cpu_requested}</td>
            <td data-label="Memory use">{memory} {memory_requested}</td>
            <td data-label="System">{node.system.clone().unwrap_or_else(|| "not known".to_owned())}</td>
        </tr>
    }
    .into_any()
}

/// What pods have requested of a node's CPU and memory.
fn requested(requests: &NodeRequests) -> (AnyView, AnyView) {
    let line = |text: String| view! { <p class="muted">{text}</p> }.into_any();
    (line(requests.cpu_words()), line(requests.memory_words()))
}

fn unread() -> AnyView {
    view! { <span class="muted">"not read"</span> }.into_any()
}

fn meter(percent: f64, label: String, text: String) -> AnyView {
    view! {
        <div class="use">
            <meter min="0" max="100" value=format!("{percent:.0}") aria-label=label></meter>
            <span class="figure-value">{text}</span>
        </div>
    }
    .into_any()
}

fn device_row(node: &Node, device: &Device) -> AnyView {
    let info = &device.device_info;
    let config = &device.device_config;
    let kind = match device.kind {
        DeviceType::Cpu => "CPU",
        DeviceType::Cuda => "NVIDIA GPU",
        DeviceType::Rocm => "AMD GPU",
        DeviceType::Hpu => "Gaudi accelerator",
    };
    let mut name = vec![device.name.clone()];
    name.extend(info.num_physical_cores.map(|cores| format!("{cores} cores")));
    name.extend(info.num_virtual_cores.map(|threads| format!("{threads} hardware threads")));
    name.extend(info.driver.as_ref().map(|driver| format!("driver {driver}")));
    let memory = match (info.memory_bytes, info.memory_used_bytes) {
        (Some(all), Some(used)) => format!("{} of {} used", bytes(used), bytes(all)),
        (Some(all), None) => bytes(all),
        (None, _) => "not read".to_owned(),
    };
    let now: Vec<String> = [
        info.utilization_percent.map(|percent| format!("{} % at work", figure(percent))),
        info.power_w.map(|watts| format!("{} W", figure(watts))),
        info.temperature_c.map(|degrees| format!("{} °C", figure(degrees))),
    ]
    .into_iter()
    .flatten()
    .collect();
    let now = if now.is_empty() { unread() } else { view! { {now.join(", ")} }.into_any() };
    let free = match info.num_devices {
        Some(all) if all > 1 => format!("{} of {all}", device.available_count),
        _ => device.available_count.to_string(),
    };
    let known = |value: Option<f64>| value.map_or_else(|| "not known".to_owned(), figure);
    view! {
        <tr>
            <th scope="row">{name.join(", ")}</th>
            <td data-label="Node">{node.hostname.clone()}</td>
            <td data-label="Kind">{kind}</td>
            <td class="numeric" data-label="Free">{free}</td>
            <td data-label="Memory">{memory}</td>
            <td data-label="Now">{now}</td>
            <td class="numeric" data-label="Peak FP16, TFLOPS">{known(config.peak_fp16_tflops)}</td>
            <td class="numeric" data-label="Bandwidth, GB/s">{known(config.memory_bandwidth_gbps)}</td>
            <td data-label="Source of both">{config.source.clone().unwrap_or_else(|| "not known".to_owned())}</td>
        </tr>
    }
    .into_any()
}
