//! Clusters and their nodes, looked at live.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use uuid::Uuid;

use dyno_kubernetes::{ApiError, Connection, KubeconfigError};

use super::listing::{Listed, checked_name, page_of};
use super::now;
use crate::cluster::{ClusterError, RunsAtWork, devices_in_words};
use crate::credentials::{OutgoingError, Sealed, Secret, check_host};
use crate::domain::device_specification::STATED;
use crate::domain::inventory::{Cluster, ClusterAccess, ClusterKind, ClusterRow, Device, Node, NodeMetrics};
use crate::domain::kubernetes::{ClusterTest, KubernetesAccess, ModelCache};
use crate::domain::list::{ListQuery, Page};
use crate::domain::problem::{FieldError, Problem, ProblemKind};
use crate::domain::user::Actor;
use crate::state::{AppState, seal_context_of_kubeconfig};
use dyno_measure::run::RunStatus;

/// Told to everybody else.
const REFUSAL: &str = "Only administrators add, change and test clusters.";

/// How long a cluster may take to answer; a person waits.
const LIVE_LIMIT: Duration = Duration::from_secs(10);
/// Folders of a cluster's nodes with models.
const MOST_ROOTS: usize = 20;
/// Secrets by which images are pulled.
const MOST_PULL_SECRETS: usize = 20;
/// Of a name that is refused, characters that are repeated.
const SHOWN: usize = 63;
/// Longest message about a kubeconfig, characters.
const MOST_WORDS: usize = 1_000;

/// A cluster to be added, or what is to change of one.
#[derive(Debug, Clone, Default, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCluster {
    /// The name in lists.
    #[serde(default)]
    pub name: Option<String>,
    /// `kubernetes`.
    #[serde(default)]
    pub kind: Option<String>,
    /// How it is reached, as YAML; absent for the cluster that the portal itself runs in.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub kubeconfig: Option<Secret>,
    /// Which of the kubeconfig's contexts; absent: its current one.
    #[serde(default)]
    pub context: Option<String>,
    /// Where Dyno makes its objects; absent: `dyno`.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Where transferred models stay; `null` where they don't.
    #[serde(default, deserialize_with = "given_or_null")]
    #[allow(clippy::option_option, reason = "absent: as it is; null: none any more")]
    pub cache: Option<Option<ModelCache>>,
    /// Folders of the nodes below which a model may lie already.
    #[serde(default)]
    pub model_roots: Option<Vec<String>>,
    /// Names of Secrets in the namespace by which nodes pull the images of runs' pods, where registries ask who pulls.
    #[serde(default)]
    pub image_pull_secrets: Option<Vec<String>>,
}

/// Tells `null` from what is not there.
#[allow(clippy::option_option, reason = "as the field that it reads")]
fn given_or_null<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Option<ModelCache>>, D::Error> {
    serde::Deserialize::deserialize(from).map(Some)
}

impl Listed for ClusterRow {
    fn name(&self) -> &str {
        &self.cluster.name
    }
    fn more_text(&self) -> String {
        self.devices.clone()
    }
    fn sort_key(&self) -> u8 {
        self.cluster.kind().sort_key()
    }
    fn created_at(&self) -> Timestamp {
        self.cluster.created_at
    }
}

/// The clusters that the actor may use, each with what a live look found.
pub async fn list(app: &AppState, actor: &Actor, query: &ListQuery) -> Result<Page<ClusterRow>, Problem> {
    let clusters = app.store.clusters(actor).await?;
    let rows: Vec<ClusterRow> = join_all(clusters.into_iter().map(|cluster| row(app, cluster))).await;
    page_of(rows, query, "Clusters")
}

pub async fn get(app: &AppState, actor: &Actor, id: Uuid) -> Result<Cluster, Problem> {
    Ok(app.store.cluster(actor, id).await?)
}

/// One cluster with what a live look found.
pub async fn look(app: &AppState, actor: &Actor, id: Uuid) -> Result<ClusterRow, Problem> {
    let cluster = app.store.cluster(actor, id).await?;
    Ok(row(app, cluster).await)
}

/// A cluster's nodes, live; the devices of nodes that a run has are not available.
pub async fn node_metrics(app: &AppState, actor: &Actor, id: Uuid) -> Result<NodeMetrics, Problem> {
    let cluster = app.store.cluster(actor, id).await?;
    let at_work = runs_at_work(app, id).await?;
    let nodes = nodes(app, &cluster, &at_work).await?;
    Ok(NodeMetrics { nodes })
}

/// A cluster that was added, and how a test of it went.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
pub struct AddedCluster {
    #[serde(flatten)]
    pub cluster: Cluster,
    /// What Dyno needs there and may not do. The cluster was added all the same: the rules can be granted later.
    pub test: ClusterTest,
}

/// Adds a Kubernetes cluster, which must answer, and asks what is permitted there.
pub async fn add(app: &AppState, actor: &Actor, new: NewCluster) -> Result<AddedCluster, Problem> {
    let cluster = create(app, actor, new).await?;
    let test = test(app, actor, cluster.id).await?;
    Ok(AddedCluster { cluster, test })
}

/// Adds a Kubernetes cluster, which must answer; it is for everybody. What is not permitted there yet is told by a test.
pub async fn create(app: &AppState, actor: &Actor, new: NewCluster) -> Result<Cluster, Problem> {
    actor.must_be_administrator(REFUSAL)?;
    let mut errors = Vec::new();
    match new.kind.as_deref().unwrap_or_default() {
        "kubernetes" => {}
        "catalogue" => errors.push(FieldError::new("kind", "The catalogue of devices is there already.")),
        "local" => errors.push(FieldError::new("kind", "The portal's own machine is there already.")),
        "" => errors.push(FieldError::new("kind", "Choose a kind.")),
        _ => errors.push(FieldError::new("kind", "This kind of cluster is not known.")),
    }
    let cluster = Cluster {
        id: Uuid::now_v7(),
        name: String::new(),
        access: ClusterAccess::Kubernetes(KubernetesAccess::default()),
        owner: None,
        created_at: now(),
    };
    let name = Some(new.name.clone().unwrap_or_default());
    save(app, cluster, NewCluster { name, ..new }, true, errors).await
}

/// Changes what is given of a Kubernetes cluster; it must answer.
pub async fn update(app: &AppState, actor: &Actor, id: Uuid, change: NewCluster) -> Result<Cluster, Problem> {
    actor.must_be_administrator(REFUSAL)?;
    let cluster = app.store.cluster(actor, id).await?;
    if cluster.kind() != ClusterKind::Kubernetes {
        return Err(Problem::conflict("Only Kubernetes clusters can be changed."));
    }
    let changed_kind = change.kind.as_deref().is_some_and(|kind| kind != "kubernetes");
    let errors = changed_kind.then(|| FieldError::new("kind", "The kind can't be changed.")).into_iter().collect();
    if change.kubeconfig.is_none() && change.context.is_some() {
        return Err(Problem::field("kubeconfig", "Give the kubeconfig again to take another of its contexts."));
    }
    save(app, cluster, change, false, errors).await
}

/// Checks and keeps a cluster with what is given of it; `is_new`: no kubeconfig means the portal's own service account.
async fn save(
    app: &AppState,
    mut cluster: Cluster,
    given: NewCluster,
    is_new: bool,
    mut errors: Vec<FieldError>,
) -> Result<Cluster, Problem> {
    if let Some(name) = &given.name {
        match checked_name(name) {
            Ok(name) => cluster.name = name,
            Err(error) => errors.push(FieldError::new("name", error.to_string())),
        }
    }
    let ClusterAccess::Kubernetes(mut access) = cluster.access.clone() else {
        return Err(Problem::conflict("Only Kubernetes clusters can be changed."));
    };
    if let Some(namespace) = given.namespace.as_deref().map(str::trim).filter(|namespace| !namespace.is_empty()) {
        access.namespace = namespace.to_owned();
        if !is_label(namespace) {
            errors.push(FieldError::new(
                "namespace",
                "A namespace has up to 63 small letters, digits and hyphens, no hyphen at its ends.",
            ));
        }
    }
    if let Some(cache) = given.cache {
        if let Some(error) = cache.as_ref().and_then(wrong_cache) {
            errors.push(FieldError::new("cache", error));
        }
        access.cache = cache;
    }
    if let Some(roots) = given.model_roots {
        match checked_roots(&roots) {
            Ok(roots) => access.model_roots = roots,
            Err(error) => errors.push(FieldError::new("model_roots", error)),
        }
    }
    if let Some(secrets) = given.image_pull_secrets {
        match checked_pull_secrets(&secrets) {
            Ok(secrets) => access.image_pull_secrets = secrets,
            Err(error) => errors.push(FieldError::new("image_pull_secrets", error)),
        }
    }
    let text = given.kubeconfig.as_ref().map(Secret::expose).filter(|text| !text.trim().is_empty());
    let taken = match text.map(|text| dyno_kubernetes::check(text, given.context.as_deref())).transpose() {
        Ok(taken) => taken,
        Err(error) => {
            let field = match error {
                KubeconfigError::UnknownContext { .. } | KubeconfigError::NoCurrentContext(_) => "context",
                _ => "kubeconfig",
            };
            // it repeats names of the kubeconfig and the context, which can be as long as a body
            errors.push(FieldError::new(field, error.to_string().chars().take(MOST_WORDS).collect::<String>()));
            None
        }
    };
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    let sealed = match &taken {
        Some(taken) => {
            address_is_allowed(app, &taken.server).await?;
            (access.server, access.context, access.insecure) =
                (Some(taken.server.clone()), Some(taken.context.clone()), taken.insecure);
            let refused = |error: ApiError| Problem::field("kubeconfig", error.to_string());
            let connection = Connection::with_kubeconfig(&taken.kubeconfig).await.map_err(refused)?;
            within(connection.version()).await.map_err(|error| Problem::field("kubeconfig", error.sentence()))?;
            let secret = Secret::new(taken.kubeconfig.as_str());
            Some(app.vault.seal(seal_context_of_kubeconfig(cluster.id), &secret).map_err(|error| {
                tracing::error!(%error, "a kubeconfig could not be sealed");
                Problem::new(ProblemKind::Internal, "The kubeconfig could not be sealed. The server's log says why.")
            })?)
        }
        None if is_new => {
            let refused = |error: ApiError| Problem::field("kubeconfig", format!("Give a kubeconfig. {error}"));
            let connection = Connection::in_cluster().map_err(refused)?;
            within(connection.version()).await.map_err(|error| Problem::field("kubeconfig", error.sentence()))?;
            None
        }
        None => app.store.sealed_kubeconfig(cluster.id).await?.map(|(key_id, bytes)| Sealed { key_id, bytes }),
    };
    cluster.access = ClusterAccess::Kubernetes(access);
    let sealed = sealed.as_ref().map(|sealed| (sealed.key_id.as_str(), sealed.bytes.as_slice()));
    app.store.save_cluster(&cluster, sealed).await?;
    app.clusters.forget(cluster.id);
    Ok(cluster)
}

/// Asks a cluster for its version, and which of the things that Dyno needs are not permitted.
pub async fn test(app: &AppState, actor: &Actor, id: Uuid) -> Result<ClusterTest, Problem> {
    actor.must_be_administrator(REFUSAL)?;
    let cluster = app.store.cluster(actor, id).await?;
    let failed = |error: &ClusterError| ClusterTest {
        ok: false,
        message: error.sentence(),
        version: None,
        missing: Vec::new(),
        optional: Vec::new(),
        manifest: None,
    };
    let ClusterAccess::Kubernetes(access) = &cluster.access else {
        return Ok(match within(app.clusters.reach(&cluster)).await {
            Ok(()) => {
                let message = "It answers.".to_owned();
                ClusterTest { ok: true, message, version: None, missing: Vec::new(), optional: Vec::new(), manifest: None }
            }
            Err(error) => failed(&error),
        });
    };
    let asked = async {
        let connection = app.clusters.connection(id).await?;
        let version = connection.version().await?;
        let missing = connection.missing(&dyno_kubernetes::required(&access.namespace)).await?;
        // Where pods may not be listed, no exporter is found.
        let exporters = connection.exporters().await.unwrap_or_default();
        let mut namespaces: Vec<String> = exporters.into_iter().map(|exporter| exporter.address.namespace).collect();
        namespaces.sort_unstable();
        namespaces.dedup();
        let optional = connection.missing(&dyno_kubernetes::optional(&namespaces)).await?;
        // Without it the rules can be granted all the same, to whom the administrator fills in.
        let user = if missing.is_empty() { None } else { connection.user().await.unwrap_or_default() };
        Ok::<_, ClusterError>((version, missing, optional, user))
    };
    let (version, missing, optional, user) = match within(asked).await {
        Ok(answer) => answer,
        Err(error) => return Ok(failed(&error)),
    };
    let message = match missing.len() {
        0 => format!("It answers as Kubernetes {version}, and everything is permitted that Dyno needs."),
        1 => format!("It answers as Kubernetes {version}. One thing is not permitted."),
        more => format!("It answers as Kubernetes {version}. {more} things are not permitted."),
    };
    Ok(ClusterTest {
        ok: missing.is_empty(),
        message,
        version: Some(version),
        manifest: (!missing.is_empty()).then(|| dyno_kubernetes::missing_rules_manifest(&missing, user.as_deref())),
        missing: missing.iter().map(ToString::to_string).collect(),
        optional: optional.iter().map(ToString::to_string).collect(),
    })
}

/// Removes a cluster, or archives it where benchmarks were made with it; its kubeconfig is gone in any case.
pub async fn delete(app: &AppState, actor: &Actor, id: Uuid) -> Result<(), Problem> {
    app.store.remove_cluster(actor, id).await?;
    app.clusters.forget(id);
    Ok(())
}

/// As the API reference defines a namespace's name: an RFC 1123 label.
fn is_label(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&name.len()) && name.chars().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}

/// As the API reference defines most objects' names: an RFC 1123 subdomain.
fn is_subdomain(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_label)
}

/// What is wrong with a cache.
fn wrong_cache(cache: &ModelCache) -> Option<&'static str> {
    match cache {
        ModelCache::HostPath(path) => {
            folder(path).is_none().then_some("A folder on the nodes begins with / and is not / itself; it has no .. in it.")
        }
        ModelCache::PersistentVolumeClaim(claim) => {
            (!is_subdomain(claim)).then_some("A claim's name has small letters, digits, hyphens and dots.")
        }
    }
}

/// A folder of a node as it is kept; none where it is no absolute path, or the whole disk.
fn folder(path: &str) -> Option<String> {
    let path = crate::models::absolute(path.trim()).ok()?;
    path.parent()?;
    Some(path.display().to_string())
}

fn checked_roots(given: &[String]) -> Result<Vec<String>, String> {
    if given.len() > MOST_ROOTS {
        return Err(format!("There can be {MOST_ROOTS} folders at most."));
    }
    let wrong =
        |path: &String| format!("{path:?} is no folder on the nodes: it begins with / and is not / itself; it has no .. in it.");
    let mut roots = given.iter().map(|path| folder(path).ok_or_else(|| wrong(path))).collect::<Result<Vec<_>, _>>()?;
    roots.sort();
    roots.dedup();
    Ok(roots)
}

/// Names of Secrets, each once, in their order.
fn checked_pull_secrets(given: &[String]) -> Result<Vec<String>, String> {
    if given.len() > MOST_PULL_SECRETS {
        return Err(format!("There can be {MOST_PULL_SECRETS} pull secrets at most."));
    }
    let mut names: Vec<String> = Vec::new();
    for name in given.iter().map(|name| name.trim()) {
        if !is_subdomain(name) {
            let shown: String = name.chars().take(SHOWN).collect();
            return Err(format!(
                "{shown:?} is no name of a Secret: that has small letters, digits, hyphens and dots, 253 at most, and begins and ends with a letter or digit."
            ));
        }
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// Whether the portal may connect to an API server. Only administrators name one, and it may be on this machine; where
/// credentials of the machine are handed out, and the portal itself, are no clusters.
async fn address_is_allowed(app: &AppState, server: &str) -> Result<(), Problem> {
    let refused = |error: OutgoingError| Problem::field("kubeconfig", error.sentence());
    let url = reqwest::Url::parse(server).map_err(|_| refused(OutgoingError::BadUrl))?;
    check_host(&app.outgoing.policy(true), &url).await.map_err(refused)
}

/// A person waits for no more than [`LIVE_LIMIT`].
async fn within<T, E: Into<ClusterError>>(asked: impl Future<Output = Result<T, E>>) -> Result<T, ClusterError> {
    match tokio::time::timeout(LIVE_LIMIT, asked).await {
        Ok(answer) => answer.map_err(Into::into),
        Err(_) => Err(ClusterError::TimedOut(LIVE_LIMIT)),
    }
}

async fn row(app: &AppState, cluster: Cluster) -> ClusterRow {
    match nodes(app, &cluster, &RunsAtWork::default()).await {
        Ok(nodes) => ClusterRow {
            reachable: true,
            problem: None,
            nodes: nodes.len() as u32,
            ready_nodes: nodes.iter().filter(|node| node.is_ready()).count() as u32,
            devices: devices_of(&cluster, &nodes),
            cluster,
        },
        Err(error) => {
            let problem = Some(error.sentence());
            ClusterRow { reachable: false, problem, nodes: 0, ready_nodes: 0, devices: String::new(), cluster }
        }
    }
}

/// A cluster's devices in words; of the catalogue, how many there are.
fn devices_of(cluster: &Cluster, nodes: &[Node]) -> String {
    if cluster.kind() != ClusterKind::Catalogue {
        return devices_in_words(nodes);
    }
    let devices = || nodes.iter().flat_map(|node| &node.devices);
    let names: BTreeSet<&str> = devices().map(|device| device.name.as_str()).collect();
    let is_stated = |device: &Device| device.device_config.source.as_deref().is_some_and(|source| source.starts_with(STATED));
    let basis = if devices().any(is_stated) { "by data sheet or as stated in Settings" } else { "by data sheet" };
    format!("{} devices {basis}, for simulation only", names.len())
}

/// A cluster's nodes, live, within a time that a person waits.
pub(super) async fn nodes(app: &AppState, cluster: &Cluster, at_work: &RunsAtWork) -> Result<Vec<Node>, ClusterError> {
    let read = tokio::time::timeout(LIVE_LIMIT, app.nodes(cluster, at_work)).await;
    read.unwrap_or(Err(ClusterError::TimedOut(LIVE_LIMIT)))
        .inspect_err(|error| tracing::warn!(cluster.name = cluster.name, %error, "cluster could not be read"))
}

/// The runs that are at work on a cluster at present, and the nodes that they have for themselves.
async fn runs_at_work(app: &AppState, cluster: Uuid) -> Result<RunsAtWork, Problem> {
    let prefix = format!("{cluster}/");
    let open = app.store.open_runs().await?;
    let mut at_work = RunsAtWork::default();
    for open in open.iter().filter(|open| matches!(open.run.status, RunStatus::Running | RunStatus::Cancelling)) {
        let nodes: Vec<String> = open.nodes.iter().filter_map(|node| node.strip_prefix(&prefix)).map(str::to_owned).collect();
        if !nodes.is_empty() {
            at_work.runs.insert(open.run.id.to_string());
            at_work.nodes.extend(nodes);
        }
    }
    Ok(at_work)
}
