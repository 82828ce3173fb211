//! What is looked at before anything is started: nodes, engine, memory; and the engines' command lines.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::keeper::spec::EngineSpec;
use super::plan::{self, Shape};
use crate::credentials::AddressPolicy;
use crate::domain::benchmark::{BenchmarkSpec, Endpoint, EngineKind, EvalWith};
use crate::domain::inventory::{ModelFacts, Node};
use crate::engine::devices::{Share, deal};
use crate::engine::{Place, Program, Recipe, Serve, ServedModel, memory, recipe};
use crate::server::App;
use dyno_measure::address::Address;

/// The chosen nodes as they are now, each of them Ready.
pub(super) async fn nodes(app: &App, spec: &BenchmarkSpec) -> Result<Vec<Node>, String> {
    let cluster = app.store.cluster_of_portal(spec.cluster_id).await.map_err(|_| "The cluster was removed.".to_owned())?;
    let live = app.clusters.nodes(&cluster, &BTreeSet::new()).await.map_err(|error| error.sentence())?;
    let find = |hostname: &str| {
        let node = live.iter().find(|node| node.hostname == hostname);
        let node = node.ok_or_else(|| format!("Node {hostname} is not in cluster {}.", cluster.name))?;
        if node.is_ready() { Ok(node.clone()) } else { Err(format!("Node {hostname} is not ready: {}.", node.status)) }
    };
    let mut found = spec.nodes.iter().map(|choice| find(&choice.hostname)).collect::<Result<Vec<_>, _>>()?;
    if let Some(hostname) = &spec.load_node
        && !found.iter().any(|node| node.hostname == *hostname)
    {
        found.push(find(hostname)?);
    }
    Ok(found)
}

/// The policy that holds for every address which a user named, if it lets a cloud model's address through now. The load
/// checks again when it connects.
pub(super) async fn address(app: &App, base_url: &str) -> Result<AddressPolicy, String> {
    let single = app.store.has_single_user().await.map_err(|error| format!("The store failed: {error}."))?;
    let policy = app.outgoing.policy(single);
    let address = Address { policy: Some(policy.clone()), ..Address::parse(base_url).map_err(|error| error.to_string())? };
    let host = address.host.clone();
    let found =
        tokio::task::spawn_blocking(move || dyno_load::resolve::resolve(&address)).await.map_err(|error| format!("{error}."))?;
    found.map_err(|error| match error.kind() {
        std::io::ErrorKind::PermissionDenied => error.to_string(),
        _ => format!("The address of {host} was not found: {error}."),
    })?;
    Ok(policy)
}

/// The engine's recipe and program.
pub(super) async fn engine(app: &App, spec: &BenchmarkSpec) -> Result<(&'static dyn Recipe, Program), String> {
    let kind = spec.serving.engine.ok_or_else(|| "No engine was chosen.".to_owned())?;
    let place = Place { data_dir: app.config.data_dir.clone() };
    let found = tokio::task::spawn_blocking(move || {
        let recipe = recipe(kind);
        recipe
            .find(&place)
            .ok_or_else(|| format!("{} was not found on this machine. {}", kind.title(), recipe.how_to_get(&place)))
    });
    let program = found.await.map_err(|error| format!("The engine could not be looked for: {error}."))??;
    Ok((recipe(kind), program))
}

/// The longest row of the datasets, tokens; absent without datasets.
pub(super) async fn longest_row(app: &App, spec: &BenchmarkSpec) -> Result<Option<u32>, String> {
    if spec.load.eval_with != EvalWith::Dataset {
        return Ok(None);
    }
    let output = spec.load.max_output_tokens;
    let paths: Vec<_> =
        spec.datasets.iter().map(|set| (set.name.clone(), dyno_datasets::path_of(&app.config.data_dir, set.id))).collect();
    let is_trace = plan::trace(spec).is_some();
    let tokens = if spec.load.is_multi_turn() { plan::conversation_tokens } else { plan::row_tokens };
    let longest = tokio::task::spawn_blocking(move || {
        let mut longest = 0;
        for (name, path) in paths {
            if is_trace {
                let rows = dyno_datasets::read_trace(&path, &name)?;
                longest = rows.iter().map(|row| plan::arrival_tokens(row, output)).max().unwrap_or(0).max(longest);
                continue;
            }
            let failed = |error: std::io::Error| format!("Dataset {name} could not be read: {error}.");
            for row in dyno_datasets::read_rows(&path).map_err(failed)? {
                longest = tokens(&row.map_err(failed)?, output).max(longest);
            }
        }
        Ok::<_, String>(Some(longest))
    });
    longest.await.map_err(|error| format!("The datasets could not be read: {error}."))?
}

/// How the model is laid out over the nodes.
pub(super) struct Layout {
    /// The copies, node by node.
    pub copies: Vec<(Node, Share)>,
    /// What each must be able to take.
    pub shape: Shape,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// Deals devices out, and refuses what can't fit.
pub(super) fn layout(
    spec: &BenchmarkSpec,
    nodes: &[Node],
    recipe: &dyn Recipe,
    facts: Option<&ModelFacts>,
    longest: Option<u32>,
) -> Result<Layout, String> {
    let mut copies = Vec::new();
    for choice in &spec.nodes {
        let Some(node) = nodes.iter().find(|node| node.hostname == choice.hostname) else { continue };
        let shares = deal(node, choice, &spec.serving, recipe.spreads_by_itself())?;
        copies.extend(shares.into_iter().map(|share| (node.clone(), share)));
    }
    let shape = plan::shape(spec, facts, copies.len() as u32, longest)?;
    let slots = shape.in_flight.min(recipe.most_slots());
    let mut notes = Vec::new();
    if slots < shape.in_flight {
        notes.push(format!("{} works on at most {slots} requests at once; the others wait in it.", recipe.kind().title()));
    }
    if let Some(facts) = facts {
        if !recipe.formats().contains(&facts.format) {
            return Err(format!("{} can't read this model's format.", recipe.kind().title()));
        }
        for node in nodes {
            let on_node: Vec<&Share> =
                copies.iter().filter(|(at, _)| at.hostname == node.hostname).map(|(_, share)| share).collect();
            notes.extend(fits(node, &on_node, facts, shape, slots, recipe)?);
        }
    }
    Ok(Layout { copies, shape, notes })
}

/// Whether a node has the memory for its copies; answers a sentence for the log.
fn fits(
    node: &Node,
    copies: &[&Share],
    facts: &ModelFacts,
    shape: Shape,
    slots: u32,
    recipe: &dyn Recipe,
) -> Result<Option<String>, String> {
    let tokens = u64::from(shape.context) * if recipe.reserves_all_slots() { u64::from(slots) } else { 1 };
    let Some(first) = copies.first() else { return Ok(None) };
    if !first.is_accelerated() {
        let each = memory::need(facts, tokens, 0);
        let Some(free) = node.usage.as_ref().map(|usage| usage.memory_available_bytes) else { return Ok(None) };
        memory::check(each, copies.len() as u32, free, &format!("node {} has free", node.hostname))?;
        let total = memory::gb(each.total() * copies.len() as u64);
        return Ok(Some(format!("Memory on {}: needs {total} of {} that are free.", node.hostname, memory::gb(free))));
    }
    for share in copies {
        let each = memory::need(facts, tokens, share.devices.len() as u32);
        let free: Option<u64> = share
            .devices
            .iter()
            .map(|device| {
                let info = &device.device_info;
                info.memory_bytes.map(|all| all.saturating_sub(info.memory_used_bytes.unwrap_or(0)))
            })
            .sum();
        let Some(free) = free else { return Ok(None) };
        memory::check(each, 1, free, "the chosen devices have")?;
    }
    let each = memory::need(facts, tokens, first.devices.len() as u32);
    Ok(Some(format!("Memory on {}: a copy needs {} of its devices.", node.hostname, memory::gb(each.total()))))
}

/// The engines' command lines.
pub(super) fn engines(
    run: Uuid,
    spec: &BenchmarkSpec,
    layout: &Layout,
    recipe: &dyn Recipe,
    program: &Program,
    model: &ServedModel,
    facts: Option<&ModelFacts>,
) -> Result<Vec<EngineSpec>, String> {
    let kind = recipe.kind();
    let title = match &program.version {
        Some(version) => format!("{} {version}", kind.title()),
        None => kind.title().to_owned(),
    };
    let alias = alias(&spec.model.name, run);
    let slots = layout.shape.in_flight.min(recipe.most_slots());
    layout
        .copies
        .iter()
        .map(|(node, share)| {
            let here = layout.copies.iter().filter(|(other, _)| other.hostname == node.hostname).count() as u32;
            let tokens = u64::from(layout.shape.context) * u64::from(slots);
            let serve = Serve {
                model: model.clone(),
                alias: alias.clone(),
                host: "127.0.0.1".to_owned(),
                context: Some(layout.shape.context),
                slots,
                connections: layout.shape.in_flight,
                threads: threads(node, here),
                share: share.clone(),
                tensor_parallel: spec.serving.tensor_parallel,
                pipeline_parallel: spec.serving.pipeline_parallel,
                extra_args: spec.serving.engine_args.clone(),
                cache_bytes: facts.and_then(memory::cache_bytes_per_token).map(|bytes| bytes * tokens),
                embeddings: spec.load.endpoint() == Endpoint::Embeddings,
            };
            let title = if kind == EngineKind::Custom { "The own command".to_owned() } else { title.clone() };
            Ok(EngineSpec {
                node: node.hostname.clone(),
                title,
                launch: recipe.launch(program, &serve)?,
                device_type: Some(share.kind),
                devices: u32::try_from(share.devices.len()).unwrap_or(u32::MAX),
            })
        })
        .collect()
}

/// Physical cores for each of a node's copies; one is left to the load on the same machine.
fn threads(node: &Node, copies: u32) -> u32 {
    let cpu = node.devices.iter().find(|device| device.kind == crate::domain::inventory::DeviceType::Cpu);
    let cores = cpu.and_then(|cpu| cpu.device_info.num_physical_cores.or(cpu.device_info.num_virtual_cores)).unwrap_or(1);
    (cores.saturating_sub(1) / copies.max(1)).max(1)
}

/// A model name like no other's, that still says what it is.
fn alias(model: &str, run: Uuid) -> String {
    let mut name: String = model
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_') { letter } else { '-' })
        .take(40)
        .collect();
    if name.is_empty() || name.starts_with('-') {
        name.insert_str(0, "model");
    }
    // The end of a time-ordered id is its random part.
    let id = run.simple().to_string();
    format!("{name}-{}", &id[id.len() - 8..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_like_no_other() {
        let run = Uuid::parse_str("01890a5d-ac96-774b-bcce-b302099a8057").unwrap();
        assert_eq!(alias("SmolLM2 135M/Q4", run), "SmolLM2-135M-Q4-099a8057");
        assert_eq!(alias("--x", run), "model--x-099a8057");
    }
}
