//! The pod that puts a run's load on.

use dyno_measure::events::LoadEvent;
use dyno_measure::plan::Plan;
use dyno_measure::report::{Report, RequestRecord};
use dyno_measure::sidecar::Sidecar;
use http::Method;
use serde::de::DeserializeOwned;

use super::spool::{Lines, SpoolPosition};
use super::{Pod, PodClientError, PodTransport};
use crate::protocol::{CancelRequest, PortionQuery, SpoolFile, StartRequest, Status};
use crate::token::Token;

/// Largest document that is read whole, bytes.
const MOST_DOCUMENT: u64 = 256 << 20;

/// Requests to a load pod. Each can be repeated, by another portal process, too.
#[derive(Debug, Clone)]
pub struct LoadPodClient<T>(Pod<T>);

impl<T: PodTransport> LoadPodClient<T> {
    pub fn new(transport: T, token: Token) -> Self {
        Self(Pod { transport, token })
    }

    pub async fn status(&self) -> Result<Status, PodClientError> {
        self.0.get("/status").await
    }

    /// Starts the load; nothing more where it was started with the same. Refused with `AlreadyStarted` where it was with others.
    pub async fn start(&self, request: &StartRequest) -> Result<Status, PodClientError> {
        self.0.say(Method::PUT, "/start", request).await
    }

    /// Has the load write down what it has and end, or kills it. One that was not started is not any more.
    pub async fn cancel(&self, force: bool) -> Result<Status, PodClientError> {
        self.0.say(Method::POST, "/cancel", &CancelRequest { force }).await
    }

    /// Everything was taken and kept: the pod ends well, and its spool is gone with it.
    pub async fn done(&self) -> Result<(), PodClientError> {
        self.0.done().await
    }

    /// Events of the load after a place. Lines that are not understood are passed over, here and in `records`.
    pub async fn events(&self, place: &SpoolPosition) -> Result<(Vec<LoadEvent>, Lines), PodClientError> {
        self.parsed(SpoolFile::Events, place, None).await
    }

    /// Request records after a place. Counts may be found out after the load, with which the file is replaced: what was read during the
    /// load is then told anew.
    pub async fn records(&self, place: &SpoolPosition) -> Result<(Vec<RequestRecord>, Lines), PodClientError> {
        self.parsed(SpoolFile::Records, place, None).await
    }

    /// The same after so many records, where only their number is known and the file that they were read from; of an empty name, whichever
    /// is there.
    pub async fn records_after(&self, count: u64, file: &str) -> Result<(Vec<RequestRecord>, Lines), PodClientError> {
        let place = SpoolPosition { offset: 0, file: file.to_owned() };
        self.parsed(SpoolFile::Records, &place, Some(count)).await
    }

    /// Whole lines of a file after a place.
    pub async fn lines(&self, file: SpoolFile, place: &SpoolPosition) -> Result<Lines, PodClientError> {
        self.0.lines(file, place, None).await
    }

    /// The load's report, or one of the records that it left; absent where nothing was measured, or is yet to be.
    pub async fn report(&self) -> Result<Option<Report>, PodClientError> {
        self.document(SpoolFile::Report).await
    }

    /// What stands beside the records; absent before the first load point.
    pub async fn sidecar(&self) -> Result<Option<Sidecar>, PodClientError> {
        self.document(SpoolFile::Sidecar).await
    }

    /// The plan as it was carried out; absent before the start.
    pub async fn plan(&self) -> Result<Option<Plan>, PodClientError> {
        self.document(SpoolFile::Plan).await
    }

    /// The end of what the load's process printed, so many bytes at most.
    pub async fn log_end(&self, most: u64) -> Result<String, PodClientError> {
        let length = self.0.portion(SpoolFile::Log, &PortionQuery { max: Some(0), ..PortionQuery::default() }).await?.length;
        let query = PortionQuery { from: length.saturating_sub(most), max: Some(most), ..PortionQuery::default() };
        Ok(String::from_utf8_lossy(&self.0.portion(SpoolFile::Log, &query).await?.bytes).into_owned())
    }

    async fn parsed<R: DeserializeOwned>(
        &self,
        file: SpoolFile,
        place: &SpoolPosition,
        after_lines: Option<u64>,
    ) -> Result<(Vec<R>, Lines), PodClientError> {
        let mut lines = self.0.lines(file, place, after_lines).await?;
        let parsed = lines.lines.iter().filter_map(|line| serde_json::from_slice(line).ok()).collect();
        lines.lines.clear();
        Ok((parsed, lines))
    }

    async fn document<R: DeserializeOwned>(&self, file: SpoolFile) -> Result<Option<R>, PodClientError> {
        let bytes = self.0.whole(file, MOST_DOCUMENT).await?;
        if bytes.is_empty() {
            return Ok(None);
        }
        serde_json::from_slice(&bytes).map(Some).map_err(PodClientError::NotUnderstood)
    }
}
