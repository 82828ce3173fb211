//! How busy nodes are, as a metrics server says it.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::ListParams;

use crate::api_error::ApiError;
use crate::connection::Connection;
use crate::list::MAX_WHOLE;
use crate::quantity;

/// How busy a node is, as its source measured it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NodeLoad {
    /// By the node's clock.
    pub at_unix_ns: i64,
    pub cores: Option<f64>,
    pub memory_bytes: Option<f64>,
}

/// What a metrics server says of a node (`metrics.k8s.io/v1beta1`).
#[derive(Debug, Clone, serde::Deserialize)]
pub(crate) struct NodeUse {
    metadata: ObjectName,
    usage: BTreeMap<String, String>,
    #[serde(default)]
    timestamp: Option<Time>,
}

impl NodeUse {
    pub(crate) fn node(&self) -> &str {
        &self.metadata.name
    }

    /// How much of a resource is used: cores, bytes.
    pub(crate) fn amount(&self, resource: &str) -> Option<f64> {
        self.usage.get(resource).and_then(|amount| quantity::value(amount))
    }

    /// The node's name and how busy it is, with the time of the measurement.
    pub(crate) fn load(&self) -> Option<(String, NodeLoad)> {
        let at_unix_ns = unix_ns(self.timestamp.as_ref()?);
        let (cores, memory_bytes) = (self.amount("cpu"), self.amount("memory"));
        Some((self.metadata.name.clone(), NodeLoad { at_unix_ns, cores, memory_bytes }))
    }
}

#[derive(Debug, Clone, serde::Deserialize)]
struct ObjectName {
    name: String,
}

pub(crate) fn unix_ns(time: &Time) -> i64 {
    i64::try_from(time.0.as_nanosecond()).unwrap_or_default()
}

impl Connection {
    /// What a metrics server says of the nodes; an error where there is none.
    pub(crate) async fn node_use(&self) -> Result<Vec<NodeUse>, ApiError> {
        Ok(self.list("/apis/metrics.k8s.io/v1beta1/nodes", &ListParams::default(), MAX_WHOLE).await?.items)
    }
}
