//! Hub downloads in a pod, into the volume that its engines read.

use dyno_pod::protocol::FetchProgress;
use dyno_pod::{Fetch, FetchError};

use super::hub::Hub;
use crate::credentials::{Outgoing, OutgoingOptions};

/// Fetches from the hub that the environment names (`HF_ENDPOINT`, `HF_TOKEN`), over its proxies where `DYNO_SYSTEM_PROXY` is set.
pub fn pod_fetch() -> Fetch {
    Box::new(|request, folder, progress| {
        Box::pin(async move {
            let is_set = |name: &str| std::env::var(name).is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"));
            let options = OutgoingOptions {
                own_ports: vec![dyno_pod::protocol::PORT],
                system_proxy: is_set("DYNO_SYSTEM_PROXY"),
                ..OutgoingOptions::default()
            };
            let outgoing = Outgoing::new(options).map_err(|error| FetchError(format!("TLS does not set up: {error}.")))?;
            let policy = outgoing.policy(false);
            let hub = Hub::from_environment(outgoing, policy).map_err(|error| FetchError(error.sentence()))?;
            let tell = |step: super::hub::DownloadProgress| {
                let (bytes_done, bytes_total) = (step.bytes_done, step.bytes_total);
                progress.send_replace(FetchProgress { file: step.file, bytes_done, bytes_total });
            };
            let fetched = hub.download(&request.repository, &request.revision, &folder, tell).await;
            fetched.map_err(|error| FetchError(error.sentence()))
        })
    })
}
