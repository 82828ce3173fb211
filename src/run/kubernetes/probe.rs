//! Whether an engine serves what it is to serve: beyond its pod being ready, it lists the run's own model.

use axum::http::Request;
use dyno_kubernetes::objects::{ENGINE_PORT, RunName};
use dyno_kubernetes::{Connection, PodAddress};
use serde_json::Value;

use crate::engine::Launch;
use crate::run::text;

pub(super) struct EngineProbe<'a> {
    pub connection: &'a Connection,
    pub run: &'a RunName,
    pub pod: &'a str,
}

impl EngineProbe<'_> {
    /// The model id by which the engine serves; absent while it does not.
    pub(super) async fn model(&self, launch: &Launch) -> Option<String> {
        let listed = self.json("/v1/models").await?;
        let mut ids = listed.get("data")?.as_array()?.iter().filter_map(|model| model.get("id")?.as_str());
        match &launch.model {
            Some(ours) => ids.find(|id| id == ours),
            None => ids.next(),
        }
        .map(str::to_owned)
    }

    /// The version that the running engine gives.
    pub(super) async fn version(&self, launch: &Launch) -> Option<String> {
        let (path, field) = launch.version.as_ref()?;
        let answer = self.json(path).await?;
        let version = answer.get(field)?.as_str()?.trim();
        (!version.is_empty()).then(|| text::clean(version))
    }

    async fn json(&self, path: &str) -> Option<Value> {
        let address = PodAddress { namespace: self.run.namespace.clone(), pod: self.pod.to_owned(), port: ENGINE_PORT };
        let request = Request::get(path).body(Vec::new()).ok()?;
        let answer = self.connection.ask_pod(&address, request).await.ok()?;
        if !answer.status().is_success() {
            return None;
        }
        serde_json::from_slice(answer.body()).ok()
    }
}
