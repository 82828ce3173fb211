//! Hub downloads in a pod, into the volume that its engines read.

use std::sync::Arc;

use dyno_pod::protocol::FetchProgress;
use dyno_pod::{FetchError, FetchFunction};

use super::hub::{Hub, HubSettings};
use crate::credentials::{Outgoing, OutgoingOptions};

/// Fetches from a hub, over the environment's proxies where `system_proxy` says so.
pub fn pod_fetch(hub: HubSettings, system_proxy: bool) -> FetchFunction {
    let hub = Arc::new(hub);
    Box::new(move |request, folder, progress| {
        let settings = Arc::clone(&hub);
        Box::pin(async move {
            let options =
                OutgoingOptions { own_ports: vec![dyno_pod::protocol::PORT], system_proxy, ..OutgoingOptions::default() };
            let outgoing = Outgoing::new(options).map_err(|error| FetchError(format!("TLS does not set up: {error}.")))?;
            let policy = outgoing.policy(false);
            let hub = Hub::of(&settings, outgoing, policy).map_err(|error| FetchError(error.sentence()))?;
            let report = |step: super::hub::DownloadProgress| {
                let (bytes_done, bytes_total) = (step.bytes_done, step.bytes_total);
                progress.send_replace(FetchProgress { file: step.file, bytes_done, bytes_total });
            };
            let fetched = hub.download(&request.repository, &request.revision, &folder, report).await;
            fetched.map_err(|error| FetchError(error.sentence()))
        })
    })
}
