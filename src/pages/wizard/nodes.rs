//! The page of step 4: nodes and where the load comes from.

use leptos::prelude::*;
use server_fn::ServerFn;

use super::frame::{Frame, StepForm};
use super::step_context::StepContext;
use crate::api::functions::inventory::Choices;
use crate::api::functions::workflows::{FIND_NODES, SELECT_MATCHING, SaveNodes, WizardView};
use crate::components::badge::{Badge, Tone};
use crate::components::banner::{Banner, Empty, Notice};
use crate::components::button::{Look, Submit};
use crate::components::field::{Choice, ChoiceGroup, SelectField, TextField};
use crate::components::node_search::NodeSearch;
use crate::components::number::{bytes, count, figure, grouped};
use crate::domain::benchmark::LOAD_CPU_MILLICORES;
use crate::domain::benchmark::NodeChoice;
use crate::domain::form::Flash;
use crate::domain::inventory::{Cluster, Device, DeviceType, Node};
use crate::domain::node_filter::{MANY_NODES, NodeFilter};
use crate::domain::workflow::step_form::FormRules;
use crate::domain::workflow::steps::suggestion;

/// The words for a device's kind in requests, and for people.
pub fn kind_words(kind: DeviceType) -> (&'static str, &'static str) {
    match kind {
        DeviceType::Cpu => ("cpu", "CPU"),
        DeviceType::Cuda => ("cuda", "NVIDIA GPU"),
        DeviceType::Rocm => ("rocm", "AMD GPU"),
        DeviceType::Hpu => ("hpu", "Gaudi accelerator"),
    }
}

/// Which nodes, as they are at this moment.
#[component]
pub fn NodesStep(
    /// Where the reader is.
    context: StepContext,
) -> impl IntoView {
    let flash = context.flash.clone();
    let (nodes, problem) = match context.view.as_ref().map(|view| &view.choices) {
        Some(Choices::Nodes { nodes, problem }) => (nodes.clone(), problem.clone()),
        _ => (Vec::new(), None),
    };
    let stored = context.view.as_ref().map(|view| view.answer.workflow_steps.nodes.clone()).unwrap_or_default();
    let load_side = context.view.as_ref().and_then(|view| load_fields(view, &nodes, &flash));
    let here = context.href(context.page).unwrap_or_default();
    let ready = nodes.iter().filter(|node| node.is_ready()).count();
    let missing: Vec<String> = stored
        .iter()
        .filter(|chosen| nodes.iter().all(|node| node.hostname != chosen.hostname))
        .map(|chosen| chosen.hostname.clone())
        .collect();
    let gone = (!missing.is_empty() && problem.is_none()).then(|| {
        view! {
            <Banner notice=Notice::Warning>
                <p>{format!("No longer in the cluster: {}. Choose another node.", missing.join(", "))}</p>
            </Banner>
        }
    });
    let unread = problem.map(|problem| {
        let (notice, seen) = if nodes.is_empty() {
            (Notice::Error, "")
        } else {
            (Notice::Warning, " These are the nodes that were last seen: only a simulation is possible at present.")
        };
        view! {
            <Banner notice=notice>
                <p>{format!("The cluster's nodes could not be read. {problem}{seen}")}</p>
            </Banner>
        }
        .into_any()
    });
    let fields = if nodes.is_empty() {
        if unread.is_some() { ().into_any() } else { view! { <Empty message="The cluster has no nodes." /> }.into_any() }
    } else {
        let search = flash.value("search", "");
        let filter = NodeFilter::new(&search, &flash.value("device", ""), &flash.value("sort", ""));
        let selects = flash.entry("go") == Some(SELECT_MATCHING);
        let is_many = nodes.len() > MANY_NODES;
        // A long list is found through by its devices, or by what it is searched for.
        let folds = is_many && !filter.is_set();
        let ticked = flash.entries_of("nodes");
        let is_checked = |node: &Node| {
            let was = if flash.entries.is_empty() {
                stored.iter().any(|chosen| chosen.hostname == node.hostname) || (stored.is_empty() && ready == 1)
            } else {
                ticked.contains(&node.hostname)
            };
            was || (selects && node.is_ready() && filter.matches(node))
        };
        let finding = is_many.then(|| finding(&nodes, search, &filter));
        let mut shown: Vec<Node> = nodes.iter().filter(|node| is_checked(node) || filter.matches(node)).cloned().collect();
        filter.put_in_order(&mut shown);
        if folds {
            // Those under one device stand together, in the order of the devices' names.
            shown.sort_by_key(main_device);
        }
        let found = filter.is_set().then(|| {
            let words = format!(
                "{} of {} are listed: those found, and those chosen.",
                shown.len(),
                count(nodes.len() as u64, "node", "nodes")
            );
            view! { <p class="hint" role="status">{words}</p> }
        });
        let choices: Vec<Choice> = shown
            .into_iter()
            .map(|node| {
                let checked = is_checked(&node);
                let chosen = stored.iter().find(|chosen| chosen.hostname == node.hostname);
                let choice =
                    Choice::new(node.hostname.clone(), node.hostname.clone(), checked).with(facts(&node, chosen, &flash));
                if folds { choice.under(main_device(&node)) } else { choice }
            })
            .collect();
        view! {
            {finding}
            {found}
            <ChoiceGroup
                name="nodes"
                legend="Nodes"
                hint="Several may be chosen: the load is split evenly over them."
                several=true
                choices=choices
                error=flash.error("nodes")
            />
            {load_side}
        }
        .into_any()
    };
    view! {
        <Frame context=context.clone()>
            {gone}
            {unread}
            <p class="hint">
                "Read from the cluster when this page was loaded. "
                <a href=here>
                    "Read again"
                </a>
            </p>
            <StepForm action=SaveNodes::url() context=context check=FormRules::Nodes>
                {fields}
            </StepForm>
        </Frame>
    }
    .into_any()
}

/// Where the load comes from: how many processes, and of pods from which node and what each may use; nothing where nothing is measured.
fn load_fields(view: &WizardView, nodes: &[Node], flash: &Flash) -> Option<impl IntoView + use<>> {
    let steps = &view.answer.workflow_steps;
    let kind = view.chosen.cluster.as_ref().map(Cluster::kind).filter(|kind| kind.can_measure())?;
    let in_pods = kind.has_pods();
    let number = |value: Option<u32>| value.map(|value| value.to_string()).unwrap_or_default();
    let load_pods = flash.value("load_pods", number(steps.load_pods));
    let cpu = flash.value("load_cpu_millicores", number(steps.load_cpu_millicores));
    let load_node = flash.value("load_node", steps.load_node.clone().unwrap_or_default());
    let errors = [flash.error("load_pods"), flash.error("load_cpu_millicores"), flash.error("load_node")];
    let suggested = suggestion(&steps.load, steps.load_pods, view.chosen.self_check.as_ref());
    let open = suggested.is_some()
        || errors.iter().any(Option::is_some)
        || ![&load_pods, &cpu, &load_node].iter().all(|value| value.is_empty());
    let [pods_error, cpu_error, node_error] = errors;
    let place = if in_pods { "each in a pod of its own" } else { "each on a core of its own where there are enough" };
    let hint = format!(
        "One unless it is said. More of them, {place}, share a load that is too much for one; it is reported as one load."
    );
    let node = in_pods.then(|| {
        let mut options = vec![(String::new(), "One that is not under test, where there is one".to_owned())];
        options.extend(nodes.iter().filter(|node| node.is_ready()).map(|node| (node.hostname.clone(), node.hostname.clone())));
        if options.iter().all(|(hostname, _)| *hostname != load_node) {
            options.push((load_node.clone(), load_node.clone()));
        }
        view! {
            <SelectField
                name="load_node"
                label="Node that the load comes from"
                hint="A load from several pods begins there; the others go where there is room."
                options=options
                value=load_node
                error=node_error
            />
        }
    });
    let cpu = in_pods.then(|| {
        let hint = format!(
            "In thousandths of a core: what each requests, and may use. {} unless it is said.",
            grouped(LOAD_CPU_MILLICORES.into())
        );
        view! {
            <TextField
                name="load_cpu_millicores"
                label="CPU of each load pod (optional)"
                hint=hint
                number=true
                autocomplete="off"
                value=cpu
                error=cpu_error
            />
        }
    });
    Some(view! {
        <details open=open>
            <summary>"More"</summary>
            <div class="stack">
                {suggested.map(|sentence| view! { <p class="hint">{sentence}</p> })}
                {node}
                <TextField
                    name="load_pods"
                    label="Load processes (optional)"
                    hint=hint
                    number=true
                    autocomplete="off"
                    value=load_pods
                    error=pods_error
                />
                {cpu}
            </div>
        </details>
    })
}

/// The fields that find nodes among many.
fn finding(nodes: &[Node], search: String, filter: &NodeFilter) -> impl IntoView + use<> {
    view! {
        // The first button of a form is the one that Enter presses: not the search.
        <button type="submit" class="visually-hidden" tabindex="-1" aria-hidden="true">
            "Continue"
        </button>
        <NodeSearch search=search filter=filter.clone() nodes=nodes.to_vec()>
            <Submit text="Search" look=Look::Plain value=("go", FIND_NODES.to_owned()) />
            <Submit text="Select all Ready that match" look=Look::Plain value=("go", SELECT_MATCHING.to_owned()) />
        </NodeSearch>
    }
}

/// The name of what serves on a node: its accelerator, where it has one.
fn main_device(node: &Node) -> String {
    let accelerator = node.devices.iter().find(|device| device.kind != DeviceType::Cpu);
    accelerator.or(node.devices.first()).map_or_else(|| "Without devices".to_owned(), |device| device.name.clone())
}

fn facts(node: &Node, chosen: Option<&NodeChoice>, flash: &Flash) -> impl IntoView + use<> {
    let (tone, word) = if node.is_ready() { (Tone::Succeeded, node.status.clone()) } else { (Tone::Failed, node.status.clone()) };
    let devices = node.devices.iter().map(|device| view! { <li>{device_words(device)}</li> }).collect_view();
    let usage = node.usage.clone().map(|usage| {
        let used = usage.memory_total_bytes.saturating_sub(usage.memory_available_bytes);
        let share = if usage.memory_total_bytes == 0 { 0.0 } else { used as f64 / usage.memory_total_bytes as f64 * 100.0 };
        let load = usage.load_1m.map(|load| format!(" (load {})", figure(load))).unwrap_or_default();
        let cpu = format!("{} %{load}", figure(usage.cpu_percent));
        let memory = format!("{} of {}", bytes(used), bytes(usage.memory_total_bytes));
        view! {
            <div class="meters">
                <span>"CPU"</span>
                <meter min="0" max="100" value=format!("{:.0}", usage.cpu_percent) aria-label=format!("CPU use of {}", node.hostname)></meter>
                <span>{cpu}</span>
                <span>"Memory"</span>
                <meter min="0" max="100" value=format!("{share:.0}") aria-label=format!("Memory use of {}", node.hostname)></meter>
                <span>{memory}</span>
            </div>
        }
    });
    let requested = node.requests.as_ref().map(|requests| {
        view! { <p class="hint">{format!("CPU {}, memory {}", requests.cpu_words(), requests.memory_words())}</p> }
    });
    view! {
        <div class="stack-tight">
            <p>
                <Badge tone=tone text=word />
            </p>
            {(!node.is_ready()).then(|| view! { <p class="hint">"Only a simulation is possible on it at present."</p> })}
            {node.system.clone().map(|system| view! { <p class="hint">{system}</p> })}
            <ul class="device-list">{devices}</ul>
            {usage}
            {requested}
            {kinds(node, chosen, flash)}
        </div>
    }
}

/// What serves on a node with devices of several kinds.
fn kinds(node: &Node, chosen: Option<&NodeChoice>, flash: &Flash) -> impl IntoView + use<> {
    let mut kinds: Vec<DeviceType> = Vec::new();
    for device in &node.devices {
        if !kinds.contains(&device.kind) {
            kinds.push(device.kind);
        }
    }
    let hostname = node.hostname.clone();
    let typed = flash.entries_of("devices");
    let is_sent = !flash.entries.is_empty();
    let stored: Vec<DeviceType> = chosen.map(|chosen| chosen.device_types.clone()).unwrap_or_default();
    (kinds.len() > 1).then(move || {
        view! {
            <fieldset class="field">
                <legend class="small">{format!("What serves on {hostname}")}</legend>
                <p class="hint">"None or all: accelerators before the CPU."</p>
                {kinds
                    .into_iter()
                    .map(|kind| {
                        let (name, words) = kind_words(kind);
                        let value = format!("{hostname}/{name}");
                        let id = format!("f-device-{hostname}-{name}");
                        let checked = if is_sent { typed.contains(&value) } else { stored.contains(&kind) };
                        view! {
                            <div class="choice">
                                <input type="checkbox" id=id.clone() name="devices[]" value=value checked=checked />
                                <label for=id>{words}</label>
                            </div>
                        }
                    })
                    .collect_view()}
            </fieldset>
        }
    })
}

/// A device in words, with what was read of it.
pub fn device_words(device: &Device) -> String {
    let info = &device.device_info;
    let mut parts = vec![format!("{}: {}", kind_words(device.kind).1, device.name)];
    if let Some(threads) = info.num_virtual_cores {
        parts.push(format!("{threads} hardware threads"));
    }
    if let Some(memory) = info.memory_bytes.filter(|_| device.kind != DeviceType::Cpu) {
        parts.push(match info.memory_used_bytes {
            Some(used) => format!("{} of {} memory used", bytes(used), bytes(memory)),
            None => format!("{} memory", bytes(memory)),
        });
    }
    if let Some(share) = info.utilization_percent {
        parts.push(format!("{} % busy", figure(share)));
    }
    if let Some(peak) = device.device_config.peak_fp16_tflops {
        let estimate = device.device_config.source.as_deref().is_some_and(|source| source.starts_with("estimate"));
        parts.push(format!("{}{} TFLOPS at FP16", if estimate { "about " } else { "" }, figure(peak)));
    }
    parts.push(format!("{} free", device.available_count));
    parts.join(", ")
}
