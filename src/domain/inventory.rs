//! The inventory: clusters with nodes and devices, models, datasets, credentials.

mod device;

use dyno_measure::words;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::kubernetes::KubernetesAccess;
use super::provider::ProviderId;
pub use device::{Device, DeviceConfig, DeviceInfo, DeviceType};

/// The kinds of cluster.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::EnumString, strum::IntoStaticStr, strum::VariantArray,
)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum ClusterKind {
    /// The portal's own machine.
    Local,
    Kubernetes,
    /// Hypothetical nodes by data sheet, for simulation only.
    Catalogue,
}

impl ClusterKind {
    /// Whether runs can be measured on it, not only simulated.
    pub fn can_measure(self) -> bool {
        self != Self::Catalogue
    }

    /// Whether engines and loads run in pods there, so that their images, memory and nodes can be chosen.
    pub fn has_pods(self) -> bool {
        self == Self::Kubernetes
    }

    /// In lists: the local machine first, the catalogue last.
    pub fn sort_key(self) -> u8 {
        match self {
            Self::Local => 0,
            Self::Kubernetes => 1,
            Self::Catalogue => 2,
        }
    }
}

/// How a cluster is reached: what its kind needs for that. No secret is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ClusterAccess {
    /// The portal's own machine needs nothing.
    Local,
    /// Over its API server.
    Kubernetes(KubernetesAccess),
    /// There is nothing to reach.
    Catalogue,
}

impl ClusterAccess {
    /// The kind of the cluster.
    pub fn kind(&self) -> ClusterKind {
        match self {
            Self::Local => ClusterKind::Local,
            Self::Kubernetes(_) => ClusterKind::Kubernetes,
            Self::Catalogue => ClusterKind::Catalogue,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Cluster {
    pub id: Uuid,
    /// The name: `local` for the portal's own machine, `catalogue` for the hypothetical nodes.
    pub name: String,
    /// How it is reached.
    #[serde(flatten)]
    pub access: ClusterAccess,
    /// Who added it; absent for `local` and `catalogue`, which are everybody's.
    pub owner: Option<Uuid>,
    /// When it was added.
    #[cfg_attr(feature = "ssr", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
}

impl Cluster {
    pub fn kind(&self) -> ClusterKind {
        self.access.kind()
    }

    /// Whether it is the Kubernetes cluster that the portal itself runs in.
    pub fn is_in_cluster(&self) -> bool {
        matches!(&self.access, ClusterAccess::Kubernetes(access) if access.server.is_none())
    }
}

/// A cluster as lists show it: with what a live look found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct ClusterRow {
    #[serde(flatten)]
    pub cluster: Cluster,
    pub reachable: bool,
    pub problem: Option<String>,
    /// How many nodes it has.
    pub nodes: u32,
    /// How many of these are Ready.
    pub ready_nodes: u32,
    /// Its devices in words: `1 × Intel Xeon`.
    pub devices: String,
}

/// The answer of `GET /clusters/{id}/node-metrics`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct NodeMetrics {
    pub nodes: Vec<Node>,
}

/// A machine of a cluster, as it was when it was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Node {
    /// Its identity within the cluster.
    pub hostname: String,
    /// `Ready`, or why not.
    pub status: String,
    pub devices: Vec<Device>,
    /// Usage, where it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<NodeUsage>,
    /// What pods have requested of it; absent where there are no pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<NodeRequests>,
    /// Operating system and kernel, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
}

impl Node {
    /// Whether it can run a benchmark.
    pub fn is_ready(&self) -> bool {
        self.status == "Ready"
    }
}

/// How busy a node is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct NodeUsage {
    /// Share of all cores at work, 0 to 100.
    pub cpu_percent: f64,
    /// Load average over one minute, where it can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_1m: Option<f64>,
    /// Bytes of memory in all.
    pub memory_total_bytes: u64,
    /// Bytes of memory that a new process could have.
    pub memory_available_bytes: u64,
}

/// What pods can be given of a node, and what they have requested: what a scheduler counts, whatever is in use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct NodeRequests {
    /// Cores that pods can be given.
    pub cpu_allocatable: f64,
    /// Cores that pods have requested.
    pub cpu_requested: f64,
    /// Bytes of memory that pods can be given.
    pub memory_allocatable_bytes: u64,
    /// Bytes of memory that pods have requested.
    pub memory_requested_bytes: u64,
    /// Bytes of these that the portal's own runs have requested; they have ended when another run begins on the node.
    #[serde(default)]
    pub memory_requested_by_runs_bytes: u64,
}

impl NodeRequests {
    /// Bytes of memory that no pod but those of the portal's own runs has requested.
    pub fn free_memory_bytes(&self) -> u64 {
        let by_others = self.memory_requested_bytes.saturating_sub(self.memory_requested_by_runs_bytes);
        self.memory_allocatable_bytes.saturating_sub(by_others)
    }

    /// What is requested of the cores: `3.2 of 8 requested`.
    pub fn cpu_words(&self) -> String {
        format!("{} of {} requested", words::plain(self.cpu_requested), words::plain(self.cpu_allocatable))
    }

    /// What is requested of the memory: `17.2 GB of 68.7 GB requested`.
    pub fn memory_words(&self) -> String {
        let all = words::bytes(self.memory_allocatable_bytes);
        format!("{} of {all} requested", words::bytes(self.memory_requested_bytes))
    }
}

/// What an engine serves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Model {
    pub id: Uuid,
    /// The name in lists.
    pub name: String,
    #[serde(flatten)]
    pub source: ModelSource,
    /// What its files say; absent for a cloud model, and for a hub model before its first transfer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<ModelFacts>,
    /// Who added it; absent for what everybody may use.
    pub owner: Option<Uuid>,
    /// Whether it was removed from lists, but is kept for the runs that used it.
    #[serde(default)]
    pub archived: bool,
    /// When it was added.
    #[cfg_attr(feature = "ssr", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
}

impl Model {
    /// Whether it is reached with a credential rather than deployed.
    pub fn is_cloud(&self) -> bool {
        matches!(self.source, ModelSource::Cloud { .. })
    }
}

/// Where a model is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(tag = "source", rename_all = "snake_case")]
pub enum ModelSource {
    /// Served by a provider over an OpenAI-compatible API.
    Cloud {
        provider: ProviderId,
        /// The API's base, `/v1` included.
        base_url: String,
        /// The provider's name for the model.
        model: String,
        /// Certificates (PEM) that are trusted beside the system's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ca_certificate: Option<String>,
        /// Whether the server's certificate is not checked at all.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        insecure_skip_tls_verify: bool,
    },
    /// A GGUF file or a Hugging Face folder.
    File { path: String, location: FileLocation },
    /// A Hugging Face hub repository.
    Hub {
        /// `organisation/name`.
        repository: String,
        /// Branch, tag or commit.
        revision: String,
    },
}

/// On whose disk a model file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FileLocation {
    Portal,
    /// Each of the cluster's nodes.
    Node,
}

/// The kinds of model file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ModelFormat {
    Gguf,
    /// A folder with `config.json` and safetensors.
    HuggingFace,
}

/// What a model's files say of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct ModelFacts {
    pub format: ModelFormat,
    /// `llama`, `qwen3`, … as the file names it.
    pub architecture: String,
    pub parameters: u64,
    /// Bytes of all weights on disk.
    pub weight_bytes: u64,
    pub layers: Option<u32>,
    /// Longest context in tokens.
    pub context_length: Option<u32>,
    pub hidden_size: Option<u32>,
    pub heads: Option<u32>,
    /// Key and value heads.
    pub kv_heads: Option<u32>,
    /// Width of one head.
    pub head_dim: Option<u32>,
    /// Tokens in the vocabulary.
    pub vocabulary: Option<u32>,
    /// `Q4_1`, `BF16`, … the type that most weights have.
    pub precision: String,
    /// Whether a chat template comes with it.
    pub chat_template: bool,
    /// Why Dyno can't use that template to count a prompt's tokens; absent where it can, or where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat_template_error: Option<String>,
    /// Digest of a GGUF file, or of the folder's index; hex SHA-256.
    pub sha256: Option<String>,
}

/// A provider's secret, without the secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Credential {
    pub id: Uuid,
    /// The name in lists.
    pub name: String,
    /// Which provider it opens.
    pub provider: ProviderId,
    /// The one origin (scheme, host, port) that the secret is sent to.
    pub origin: String,
    pub owner: Uuid,
    /// Whether it was removed from lists, but is kept for the runs that used it.
    #[serde(default)]
    pub archived: bool,
    /// When it was added.
    #[cfg_attr(feature = "ssr", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
}
