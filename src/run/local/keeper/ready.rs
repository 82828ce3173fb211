//! Whether an engine is ready: its process lives, it says that it is healthy, and it lists the right model. A port that
//! answers says nothing: an older server may sit there.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use serde_json::Value;

use crate::engine::Launch;
use crate::run::local::HOST;

/// Longest wait for one answer.
const ANSWER_WAIT: Duration = Duration::from_secs(5);
/// Largest answer that is read.
const LARGEST: usize = 1 << 20;

/// A port that is free.
pub(super) fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Asks an engine on this machine.
pub(super) struct ReadyProbe {
    client: reqwest::Client,
    root: String,
}

impl ReadyProbe {
    pub(super) fn new(port: u16) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(ANSWER_WAIT)
            .pool_max_idle_per_host(0)
            .build()?;
        Ok(Self { client, root: format!("http://{HOST}:{port}") })
    }

    /// The model id by which the engine serves, once it is ready.
    pub(super) async fn ready(&self, launch: &Launch) -> Option<String> {
        if let Some(health) = &launch.health {
            self.get(health).await?;
        }
        let listed = model_ids(&self.json("/v1/models").await?);
        match &launch.model {
            Some(ours) => listed.into_iter().find(|id| id == ours),
            None => listed.into_iter().next(),
        }
    }

    /// The version that the running engine gives.
    pub(super) async fn version(&self, launch: &Launch) -> Option<String> {
        let (path, field) = launch.version.as_ref()?;
        let answer = self.json(path).await?;
        let version = answer.get(field)?.as_str()?.trim();
        (!version.is_empty()).then(|| crate::run::text::clean(version))
    }

    async fn json(&self, path: &str) -> Option<Value> {
        serde_json::from_slice(&self.get(path).await?).ok()
    }

    async fn get(&self, path: &str) -> Option<Vec<u8>> {
        let mut answer = self.client.get(format!("{}{path}", self.root)).send().await.ok()?;
        if !answer.status().is_success() {
            return None;
        }
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.ok()? {
            if body.len() + part.len() > LARGEST {
                return None;
            }
            body.extend_from_slice(&part);
        }
        Some(body)
    }
}

/// The ids in an answer of `/v1/models`.
fn model_ids(answer: &Value) -> Vec<String> {
    let Some(models) = answer.get("data").and_then(Value::as_array) else { return Vec::new() };
    models.iter().filter_map(|model| model.get("id")?.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_a_list() {
        let answer = serde_json::json!({"object": "list", "data": [{"id": "a"}, {"object": "model"}, {"id": "b"}]});
        assert_eq!(model_ids(&answer), ["a", "b"]);
        assert_eq!(model_ids(&serde_json::json!({"models": [{"name": "a"}]})), Vec::<String>::new());
    }
}
