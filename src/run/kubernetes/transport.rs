//! Requests to a run's pods, by way of the cluster's API server.

use axum::body::Bytes;
use axum::http::{Request, Response};
use dyno_kubernetes::objects::{POD_PORT, RunName, SENT_FILES_PORT};
use dyno_kubernetes::{Connection, PodAddress};
use dyno_pod::Token;
use dyno_pod::client::{FilesPodClient, LoadPodClient, PodTransport, TransportError};

#[derive(Debug, Clone)]
pub(super) struct PodProxy {
    connection: Connection,
    address: PodAddress,
}

impl PodProxy {
    fn new(connection: &Connection, run: &RunName, pod: &str, port: u16) -> Self {
        let address = PodAddress { namespace: run.namespace.clone(), pod: pod.to_owned(), port };
        Self { connection: connection.clone(), address }
    }
}

impl PodTransport for PodProxy {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let answer = self.connection.ask_pod(&self.address, request.map(|body| body.to_vec())).await?;
        Ok(answer.map(Bytes::from))
    }
}

pub(super) fn load_pod(connection: &Connection, run: &RunName, pod: &str, token: Token) -> LoadPodClient<PodProxy> {
    LoadPodClient::new(PodProxy::new(connection, run, pod, POD_PORT), token)
}

/// What takes files in the load's pod.
pub(super) fn sent_files(connection: &Connection, run: &RunName, pod: &str, token: Token) -> FilesPodClient<PodProxy> {
    FilesPodClient::new(PodProxy::new(connection, run, pod, SENT_FILES_PORT), token)
}

pub(super) fn files_pod(connection: &Connection, run: &RunName, pod: &str, token: Token) -> FilesPodClient<PodProxy> {
    FilesPodClient::new(PodProxy::new(connection, run, pod, POD_PORT), token)
}
