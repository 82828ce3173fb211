//! A model's files on the cluster: there on each node, copied from the portal, or fetched from the hub. Pods of Dyno's own look and
//! write; they are gone before engines are made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dyno_kubernetes::objects::{self, FilesJob, Mount, SENT_FILES, VolumeSource, keys};
use dyno_pod::Token;
use dyno_pod::protocol::{FetchRequest, FetchStatus, FileKind, FoundFile};
use jiff::Timestamp;
use tokio::sync::watch;
use uuid::Uuid;

use super::KubernetesExecutor;
use super::error::KubernetesError;
use super::files_pods::{Client, FilesPods, PAUSE};
use super::model_folder::model_folder;
use super::owner::{TRANSFER_LIMIT_S, provisional_load, remove_owner, transfer_lifetime, while_followed};
use crate::domain::benchmark::BenchmarkSpec;
use crate::domain::inventory::{FileLocation, Model, ModelFacts, ModelFormat, ModelSource};
use crate::domain::kubernetes::ModelCache;
use crate::engine::ServedModel;
use crate::models::{self, Roots};
use crate::run::execution::{EngineVolume, EngineVolumeSource};
use crate::run::executor::{PlacedModel, Placement};
use dyno_measure::words;

/// Where pods see models that lie on their node.
const ON_NODE: &str = "/model";
/// Where pods see the cache.
const CACHE: &str = "/cache";

impl KubernetesExecutor {
    /// The run's owner ends by itself soon after nobody follows the transfer any more.
    pub(super) async fn place(
        &self,
        run: Uuid,
        spec: &BenchmarkSpec,
        progress: &watch::Sender<String>,
    ) -> Result<Placement, KubernetesError> {
        let postpone = |deadline: Timestamp| async move {
            let postponed = async {
                Ok::<_, KubernetesError>(self.connection().await?.postpone(&self.name(run), deadline.as_second()).await?)
            };
            if let Err(error) = postponed.await {
                tracing::warn!(run.id = %run, %error, "the deadline of a transfer could not be put off");
            }
        };
        while_followed(Box::pin(self.placed(run, spec, progress)), postpone).await
    }

    async fn placed(
        &self,
        run: Uuid,
        spec: &BenchmarkSpec,
        progress: &watch::Sender<String>,
    ) -> Result<Placement, KubernetesError> {
        let model = match &spec.model.source {
            ModelSource::Cloud { .. } => None,
            ModelSource::File { path, location: FileLocation::Node } => Some(self.on_nodes(run, spec, path, progress).await?),
            ModelSource::File { path, location: FileLocation::Portal } => Some(self.copied(run, spec, path, progress).await?),
            ModelSource::Hub { repository, revision } => {
                let request = FetchRequest { repository: repository.clone(), revision: revision.clone() };
                Some(self.fetched(run, spec, request, progress).await?)
            }
        };
        let datasets = spec.datasets.iter().map(|set| Path::new(SENT_FILES).join(set.id.to_string())).collect();
        Ok(Placement { model, datasets, self_check_cache: None })
    }

    /// Checks that a path is on each chosen node, below a folder that may be looked at.
    async fn on_nodes(
        &self,
        run: Uuid,
        spec: &BenchmarkSpec,
        path: &str,
        progress: &watch::Sender<String>,
    ) -> Result<PlacedModel, KubernetesError> {
        let typed = models::absolute(path)?;
        let is_administrators = match spec.model.owner {
            Some(owner) => self.app.store.actor(owner).await?.is_administrator(),
            None => false,
        };
        let folder = model_folder(&self.access.model_roots, &typed, is_administrators)?;
        let below = typed.strip_prefix(&folder).unwrap_or(Path::new("")).to_owned();
        let in_pod = Path::new(ON_NODE).join(below);
        let source = VolumeSource::HostPath(folder.display().to_string());
        let mount = Mount { source, path: ON_NODE.to_owned(), read_only: true };
        let nodes = nodes_of(spec);
        let mut pods = self.start_pods(run, &nodes, &[mount], progress).await?;
        let (in_pod_text, mut found) = (in_pod.to_str().unwrap_or_default(), None::<FoundFile>);
        for (index, node) in nodes.iter().enumerate() {
            let facts = pods.work(index, |client| async move { Ok(client.check(in_pod_text, false).await?) }).await?;
            let facts = facts.ok_or_else(|| KubernetesError::NotOnNode { path: path.to_owned(), node: node.clone() })?;
            if found.as_ref().is_some_and(|first| (first.kind, first.size) != (facts.kind, facts.size)) {
                return Err(KubernetesError::DiffersOnNode { path: path.to_owned(), node: node.clone() });
            }
            found = Some(facts);
        }
        self.stop_pods(run, pods).await?;
        let found = found.ok_or(KubernetesError::NoNode)?;
        let format = if found.kind == FileKind::File { ModelFormat::Gguf } else { ModelFormat::HuggingFace };
        let volume = EngineVolume { source: EngineVolumeSource::Node(folder.display().to_string()), path: ON_NODE.to_owned() };
        let where_found = if spec.nodes.len() == 1 { "the chosen node" } else { "each chosen node" };
        Ok(PlacedModel {
            served: ServedModel::Path(in_pod),
            message: format!("{path} is on {where_found}, {}.", words::bytes(found.size)),
            facts: facts_of(&spec.model, format, found.size)?,
            volumes: vec![volume],
            tokenizer: None,
        })
    }

    /// Copies a model of the portal's into the cache.
    async fn copied(
        &self,
        run: Uuid,
        spec: &BenchmarkSpec,
        path: &str,
        progress: &watch::Sender<String>,
    ) -> Result<PlacedModel, KubernetesError> {
        let (mount, volume, nodes) = self.cache(spec)?;
        let single = self.app.store.has_single_user().await?;
        let roots = Roots::new(&self.app.config.model_roots, &self.app.config.data_dir, single);
        let (typed, below, program) = (path.to_owned(), roots.clone(), self.app.config.program.clone());
        progress.send_replace("The model's files are being read.".to_owned());
        let (located, facts, files) = tokio::task::spawn_blocking(move || {
            let located = below.locate(&typed)?;
            let mut facts = models::read_facts(&located, &below, &program)?;
            let files = listed(&located)?;
            if facts.format == ModelFormat::Gguf {
                facts.sha256 = files.first().map(|file| file.sha256.clone());
            }
            Ok::<_, KubernetesError>((located, facts, files))
        })
        .await??;
        if spec.model.facts.as_ref().is_some_and(|known| has_changed(known, &facts)) {
            return Err(KubernetesError::Changed);
        }
        let folder = format!("portal/{}", digest_of(&files));
        let mut pods = self.start_pods(run, &nodes, &[mount], progress).await?;
        for (index, node) in nodes.iter().enumerate() {
            for file in &files {
                let name = &format!("{folder}/{}", file.name);
                let size = &words::bytes(file.size);
                let report = move |status: dyno_pod::protocol::UploadStatus| {
                    let done = words::bytes(status.offset.max(status.hashed));
                    progress.send_replace(format!("Node {node}, {}: {done} of {size}", file.name));
                };
                let upload = |client: Client| async move { Ok(client.upload(name, &file.path, &file.sha256, report).await?) };
                pods.work(index, upload).await?;
            }
        }
        self.stop_pods(run, pods).await?;
        let served = Path::new(CACHE).join(&folder);
        let served = if located.is_dir() { served } else { served.join(located.file_name().unwrap_or_default()) };
        Ok(PlacedModel {
            served: ServedModel::Path(served),
            message: format!("{} was copied into the cluster's cache, {}.", path, words::bytes(facts.weight_bytes)),
            facts,
            volumes: vec![volume],
            tokenizer: None,
        })
    }

    /// Has the hub's files fetched into the cache.
    async fn fetched(
        &self,
        run: Uuid,
        spec: &BenchmarkSpec,
        request: FetchRequest,
        progress: &watch::Sender<String>,
    ) -> Result<PlacedModel, KubernetesError> {
        let (mount, volume, nodes) = self.cache(spec)?;
        let mut pods = self.start_pods(run, &nodes, &[mount], progress).await?;
        let mut placed = None;
        for (index, node) in nodes.iter().enumerate() {
            let request = &request;
            placed = Some(pods.work(index, |client| fetched_in(client, request, node, progress)).await?);
        }
        self.stop_pods(run, pods).await?;
        let (path, found) = placed.ok_or(KubernetesError::NoNode)?;
        let format = match found.as_ref().map(|facts| facts.kind) {
            Some(FileKind::File) => ModelFormat::Gguf,
            _ => ModelFormat::HuggingFace,
        };
        let size = found.map_or(0, |facts| facts.size);
        Ok(PlacedModel {
            served: ServedModel::Path(path),
            message: format!("{} at {} is in the cluster's cache, {}.", request.repository, request.revision, words::bytes(size)),
            facts: facts_of(&spec.model, format, size)?,
            volumes: vec![volume],
            tokenizer: None,
        })
    }

    /// The cache as transfer pods and engines see it, and the nodes that files are brought to: of a claim, one.
    fn cache(&self, spec: &BenchmarkSpec) -> Result<(Mount, EngineVolume, Vec<String>), KubernetesError> {
        let nodes = nodes_of(spec);
        let (pod, engine, nodes) = match self.access.cache.as_ref().ok_or(KubernetesError::NoCache)? {
            ModelCache::PersistentVolumeClaim(name) => {
                let first = nodes.into_iter().take(1).collect();
                (VolumeSource::Claim(name.clone()), EngineVolumeSource::Claim(name.clone()), first)
            }
            ModelCache::HostPath(path) => {
                (VolumeSource::HostPathOrNew(path.clone()), EngineVolumeSource::Node(path.clone()), nodes)
            }
        };
        let mount = Mount { source: pod, path: CACHE.to_owned(), read_only: false };
        Ok((mount, EngineVolume { source: engine, path: CACHE.to_owned() }, nodes))
    }

    /// Starts a pod on each node that sees the mounts, and waits until it answers. They end with the run's owner, which
    /// has no load pod yet.
    async fn start_pods<'a>(
        &self,
        run: Uuid,
        nodes: &'a [String],
        mounts: &[Mount],
        progress: &'a watch::Sender<String>,
    ) -> Result<FilesPods<'a>, KubernetesError> {
        let connection = self.connection().await?;
        let name = self.name(run);
        let images = self.images()?;
        let first = nodes.first().ok_or(KubernetesError::NoNode)?;
        connection.ensure_namespace(&name.namespace).await?;
        // Of a portal that stopped meanwhile, perhaps with other settings: what it had brought is on the volume, and gone on with.
        if connection.owner(&name).await?.is_some() {
            remove_owner(&connection, &name).await?;
        }
        connection.apply(&objects::owner(&name, transfer_lifetime(Timestamp::now()), &provisional_load(images, first))).await?;
        let owner = connection.owner(&name).await?.ok_or(KubernetesError::NotMade)?.reference;
        let token = self.run_token(&connection, &name).await?;
        let mut data: BTreeMap<&'static str, Vec<u8>> = [(keys::TOKEN, token.clone())].into();
        if let Some(hub_token) = &self.app.config.hub.token {
            data.insert(keys::HUB_TOKEN, hub_token.expose().as_bytes().to_vec());
        }
        connection.apply(&objects::secret(&name, &owner, data)).await?;
        for (index, node) in nodes.iter().enumerate() {
            let job = FilesJob {
                index,
                image: images.own.to_owned(),
                pull_secrets: images.pull_secrets.to_vec(),
                node: node.clone(),
                mounts: mounts.to_vec(),
                hub_endpoint: self.app.config.hub.endpoint.clone(),
                active_s: TRANSFER_LIMIT_S,
            };
            connection.apply(&objects::files_job(&name, &owner, &job)).await?;
        }
        let token = Token::new(String::from_utf8_lossy(&token).into_owned())?;
        FilesPods::ready(connection, name, token, nodes, progress).await
    }

    /// Ends the pods, and removes what was made for them.
    async fn stop_pods(&self, run: Uuid, pods: FilesPods<'_>) -> Result<(), KubernetesError> {
        pods.done().await;
        Ok(remove_owner(&self.connection().await?, &self.name(run)).await?)
    }
}

/// Has a node's pod fetch the hub's files; answers where they are, and what.
async fn fetched_in(
    client: Client,
    request: &FetchRequest,
    node: &str,
    progress: &watch::Sender<String>,
) -> Result<(PathBuf, Option<FoundFile>), KubernetesError> {
    loop {
        let asked = client.fetch(request).await;
        match asked {
            Ok(FetchStatus::Running(at)) if at.file.is_empty() => {
                progress.send_replace(format!("Node {node}: the hub is asked for its files."));
            }
            Ok(FetchStatus::Running(at)) => {
                let (done, total) = (words::bytes(at.bytes_done), words::bytes(at.bytes_total));
                progress.send_replace(format!("Node {node}, {}: {done} of {total}", at.file));
            }
            Ok(FetchStatus::Done { path }) => match client.check(&path.display().to_string(), false).await {
                Err(error) if error.is_transient() => {}
                found => return Ok((path, found?)),
            },
            Ok(FetchStatus::Failed { message }) => return Err(KubernetesError::Fetch(message)),
            // Whether it was lost, its cluster is asked meanwhile.
            Err(error) if error.is_transient() => {}
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The nodes that serve, each once.
fn nodes_of(spec: &BenchmarkSpec) -> Vec<String> {
    spec.nodes.iter().map(|node| node.hostname.clone()).collect()
}

/// A file of a model's.
struct ModelFile {
    path: PathBuf,
    /// Below the model's folder.
    name: String,
    size: u64,
    sha256: String,
}

/// The files of a model with their digests. Blocks.
fn listed(model: &Path) -> Result<Vec<ModelFile>, KubernetesError> {
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |error| KubernetesError::File(path, error)
    };
    let folder = if model.is_dir() { model } else { model.parent().unwrap_or(model) };
    let entries = std::fs::read_dir(folder).map_err(failed(folder))?;
    let is_part = |path: &PathBuf| path.is_file() && (model.is_dir() || path == model || is_part_of(path, model));
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_part).collect();
    // The file that was named comes first: the digest of it is the model's.
    paths.sort_by_key(|path| (path != model, path.clone()));
    let file = |path: PathBuf| {
        let size = path.metadata().map_err(failed(&path))?.len();
        let sha256 = models::sha256_of(&path, |_| false).map_err(failed(&path))?.unwrap_or_default();
        let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
        Ok(ModelFile { path, name, size, sha256 })
    };
    paths.into_iter().map(file).collect()
}

/// Whether a file is another part of a split one: `name-00002-of-00003.gguf`.
fn is_part_of(path: &Path, model: &Path) -> bool {
    let split = |path: &Path| {
        let (stem, parts) = path.file_name()?.to_str()?.strip_suffix(".gguf")?.rsplit_once("-of-")?;
        let (stem, number) = stem.rsplit_once('-')?;
        let is_number = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
        (is_number(number) && is_number(parts)).then(|| (stem.to_owned(), parts.to_owned()))
    };
    split(path).is_some_and(|part| split(model) == Some(part))
}

/// One name for the same files.
fn digest_of(files: &[ModelFile]) -> String {
    use sha2::Digest as _;
    let mut digest = sha2::Sha256::new();
    for file in files {
        digest.update(format!("{} {}\n", file.sha256, file.name));
    }
    hex::encode(&digest.finalize()[..16])
}

fn has_changed(known: &ModelFacts, found: &ModelFacts) -> bool {
    let other_digest = known.sha256.as_ref().zip(found.sha256.as_ref()).is_some_and(|(known, found)| known != found);
    other_digest || known.weight_bytes != found.weight_bytes || known.architecture != found.architecture
}

/// What is known of a model that the portal can't read: what was noted when it was added, else its size alone.
fn facts_of(model: &Model, format: ModelFormat, size: u64) -> Result<ModelFacts, KubernetesError> {
    match &model.facts {
        Some(known) if known.format != format => Err(KubernetesError::Changed),
        Some(known) => Ok(known.clone()),
        None => Ok(ModelFacts {
            format,
            architecture: String::new(),
            parameters: 0,
            weight_bytes: size,
            layers: None,
            context_length: None,
            hidden_size: None,
            heads: None,
            kv_heads: None,
            head_dim: None,
            vocabulary: None,
            precision: String::new(),
            chat_template: false,
            chat_template_error: None,
            sha256: None,
        }),
    }
}
