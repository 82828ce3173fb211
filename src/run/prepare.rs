//! What is looked at before anything is started: nodes and addresses; and the engines' command lines.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::execution::EngineSpec;
use crate::cluster::RunsAtWork;
use crate::credentials::AddressPolicy;
use crate::domain::benchmark::BenchmarkSpec;
use crate::domain::engine::EngineKind;
use crate::domain::inventory::{Cluster, DeviceType, Node};
use crate::engine::fit::Layout;
use crate::engine::{EngineOverrides, Program, Recipe, RecipeError, Serve, memory, tag_of};
use crate::run::executor::PlacedModel;
use crate::state::AppState as App;
use crate::store::StoreError;
use dyno_measure::address::{Address, AddressError};
use dyno_measure::load::Endpoint;

/// Why a run can't begin; a sentence for people.
#[derive(Debug, thiserror::Error)]
pub(super) enum PrepareError {
    #[error("Node {hostname} is not in cluster {cluster}.")]
    NoNode { hostname: String, cluster: String },
    #[error("Node {hostname} is not ready: {status}.")]
    NotReady { hostname: String, status: String },
    #[error("{}", .0.sentence())]
    Cluster(#[from] crate::cluster::ClusterError),
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error("The address of {0} was not found: {1}.")]
    Unresolved(String, #[source] std::io::Error),
    #[error("{0}")]
    Refused(#[source] std::io::Error),
    #[error("The store failed: {0}.")]
    Store(#[from] StoreError),
    #[error("{0}.")]
    BrokeOff(#[from] tokio::task::JoinError),
}

/// The chosen nodes of a run as they are now, each of them Ready. What the run itself has requested there, since it was begun before,
/// does not stand in its way; what any other pod has requested does.
pub(super) async fn nodes(app: &App, cluster: &Cluster, run: Uuid, spec: &BenchmarkSpec) -> Result<Vec<Node>, PrepareError> {
    let own = RunsAtWork { runs: BTreeSet::from([run.to_string()]), ..RunsAtWork::default() };
    let live = app.nodes(cluster, &own).await?;
    let find = |hostname: &str| {
        let Some(node) = live.iter().find(|node| node.hostname == hostname) else {
            return Err(PrepareError::NoNode { hostname: hostname.to_owned(), cluster: cluster.name.clone() });
        };
        if node.is_ready() {
            Ok(node.clone())
        } else {
            Err(PrepareError::NotReady { hostname: hostname.to_owned(), status: node.status.clone() })
        }
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
pub(super) async fn address(app: &App, base_url: &str) -> Result<AddressPolicy, PrepareError> {
    let policy = app.outgoing.policy(app.store.has_single_user().await?);
    let address = Address { policy: Some(policy.clone()), ..Address::parse(base_url)? };
    let host = address.host.clone();
    let found = tokio::task::spawn_blocking(move || dyno_load::resolve::resolve(&address)).await?;
    found.map_err(|error| match error.kind() {
        std::io::ErrorKind::PermissionDenied => PrepareError::Refused(error),
        _ => PrepareError::Unresolved(host, error),
    })?;
    Ok(policy)
}

/// The engines' command lines. `images` where engines are containers.
pub(super) fn engines(
    run: Uuid,
    spec: &BenchmarkSpec,
    layout: &Layout,
    recipe: &dyn Recipe,
    program: &Program,
    model: &PlacedModel,
    images: Option<&EngineOverrides>,
) -> Result<Vec<EngineSpec>, RecipeError> {
    let kind = recipe.kind();
    let title = |version: Option<&str>| match version {
        _ if kind == EngineKind::Custom => "The own command".to_owned(),
        Some(version) => format!("{} {version}", kind.title()),
        None => kind.title().to_owned(),
    };
    let alias = alias(&spec.model.name, run);
    layout
        .copies
        .iter()
        .map(|(node, share)| {
            let here = layout.copies.iter().filter(|(other, _)| other.hostname == node.hostname).count() as u32;
            let tokens = u64::from(layout.shape.context) * u64::from(layout.slots);
            let serve = Serve {
                model: model.served.clone(),
                alias: alias.clone(),
                context: Some(layout.shape.context),
                slots: layout.slots,
                connections: layout.shape.in_flight,
                threads: threads(node, here),
                share: share.clone(),
                tensor_parallel: spec.serving.tensor_parallel,
                pipeline_parallel: spec.serving.pipeline_parallel,
                extra_args: spec.serving.engine_args.clone(),
                cache_bytes: memory::cache_bytes_per_token(&model.facts).map(|bytes| bytes * tokens),
                embeddings: spec.load.endpoint() == Endpoint::Embeddings,
            };
            let image = images.and_then(|images| spec.serving.engine_image.clone().or_else(|| images.image(recipe, share.kind)));
            Ok(EngineSpec {
                node: node.hostname.clone(),
                title: title(program.version.as_deref().or_else(|| image.as_deref().and_then(tag_of))),
                launch: recipe.launch(program, &serve)?,
                image,
                volumes: model.volumes.clone(),
                device_type: Some(share.kind),
                devices: u32::try_from(share.devices.len()).unwrap_or(u32::MAX),
                memory_bytes: Some(memory::on_host(&model.facts, tokens, share.is_accelerated())),
                memory_limit_bytes: spec.serving.engine_memory_limit_mib.map(|mib| u64::from(mib) << 20),
            })
        })
        .collect()
}

/// Physical cores for each of a node's copies; one is left to the load on the same machine.
fn threads(node: &Node, copies: u32) -> u32 {
    let cpu = node.devices.iter().find(|device| device.kind == DeviceType::Cpu);
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
