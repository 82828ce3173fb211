//! What a Kubernetes cluster has that other kinds of cluster don't.

use serde::{Deserialize, Serialize};

/// How a Kubernetes cluster is reached. Its kubeconfig is sealed, and not in here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct KubernetesAccess {
    /// The API server's address; absent: the portal runs in the cluster, and its service account is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Which of the kubeconfig's contexts was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Whether the API server's certificate is not checked.
    #[serde(default)]
    pub insecure: bool,
    /// Where Dyno's objects are made.
    #[serde(default = "dyno_namespace")]
    pub namespace: String,
    /// Where models that were transferred stay; absent: they are gone with the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<ModelCache>,
    /// Folders of the nodes below which a model may lie already; with none, nobody names a path on a node.
    #[serde(default)]
    pub model_roots: Vec<String>,
    /// Secrets of the namespace by which nodes pull the images of runs' pods, Dyno's own and engines'.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub image_pull_secrets: Vec<String>,
}

impl Default for KubernetesAccess {
    fn default() -> Self {
        Self {
            server: None,
            context: None,
            insecure: false,
            namespace: dyno_namespace(),
            cache: None,
            model_roots: Vec::new(),
            image_pull_secrets: Vec::new(),
        }
    }
}

fn dyno_namespace() -> String {
    "dyno".to_owned()
}

/// Where the models stay that were transferred to a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ModelCache {
    /// A folder of each node's own disk.
    HostPath(String),
    /// A claim in the namespace that all nodes under test can mount.
    PersistentVolumeClaim(String),
}

/// How a test of a cluster went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct ClusterTest {
    /// Whether it answers and everything is permitted that Dyno needs.
    pub ok: bool,
    /// A sentence for people.
    pub message: String,
    /// The API server's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What is not permitted and for what it is needed, a line each.
    pub missing: Vec<String>,
    /// What is not permitted and would be used if it were: benchmarks run without it, and say what they don't know. A line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub optional: Vec<String>,
    /// The missing rules as a manifest that grants them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
}
